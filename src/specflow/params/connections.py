"""Connection sections of params.yaml: branches from a trunk, and the lines between their ends."""

from typing import Annotated

from pydantic import AfterValidator, Field

from specflow.section import Index, Name, Positive, Section, Seeds, Steps, ascending


class PerturbationParams(Section):
    """Branches from a split point whose weights were moved in a random direction.

    Attributes:
        split_step: The split point, one of the connection's; its own branches are scale 0.
        scales: Lengths of the steps, relative to the norm of each matrix.
    """

    split_step: Index
    scales: Annotated[
        tuple[Positive, ...], Field(strict=False, min_length=1), AfterValidator(ascending)
    ]


class ConnectionParams(Section):
    """Branches from checkpoints of an experiment, and the interpolation between their ends.

    Attributes:
        experiment: The experiment whose runs are the trunks.
        trunk_seeds: Seeds of the trunks, a part of `seeds`.
        split_steps: Steps from which branches start, a part of the experiment's split steps.
        num_branches: Branches at each split step of each trunk, each with its own data order.
        num_points: Points on the line between two branch ends, both ends included.
        across_trunks: Whether there are lines between the branches of one number of every two
            trunks as well.
        perturbation: Branches from a perturbed split point; None means that there are none.
    """

    experiment: Name
    trunk_seeds: Seeds
    split_steps: Annotated[Steps, Field(min_length=1)]
    num_branches: Annotated[int, Field(ge=2)]
    num_points: Annotated[int, Field(ge=3)]
    across_trunks: bool
    perturbation: PerturbationParams | None
