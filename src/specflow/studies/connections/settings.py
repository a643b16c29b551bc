"""What the stages of a connection depend on beside the runs of its experiment."""

from typing import Annotated

from pydantic import AfterValidator, Field

from specflow.measure.settings import PruningParams, SpectraParams
from specflow.problems.settings import ProblemSettings
from specflow.section import Index, Positive, Section, Seeds, Steps, ascending
from specflow.training.settings import RunSettings


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


class Branches(Section):
    """All branches of a connection; interpolating more finely does not train them again.

    Attributes:
        trunk_seeds: Seeds of the trunks, a part of `seeds`.
        split_steps: Steps from which branches start, a part of the experiment's split steps.
        num_branches: Branches at each split step of each trunk, each with its own data order.
        perturbation: Branches from a perturbed split point; None means that there are none.
    """

    trunk_seeds: Seeds
    split_steps: Annotated[Steps, Field(min_length=1)]
    num_branches: Annotated[int, Field(ge=2)]
    perturbation: PerturbationParams | None


class BranchSettings(Branches):
    """What the branches of a connection depend on beside their trunks."""

    run: RunSettings
    batch_norm_samples: int


class ConnectSettings(Branches):
    """What is measured between the endpoints of a connection's branches."""

    run: ProblemSettings
    num_points: int
    across_trunks: bool
    pruning: PruningParams
    spectra: SpectraParams
