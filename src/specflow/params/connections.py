"""Connection sections of params.yaml: branches from a trunk, and the lines between their ends."""

from typing import Annotated

from pydantic import Field

from specflow.params.base import Name, Section, Seeds, Steps


class ConnectionParams(Section):
    """Branches from checkpoints of an experiment, and the interpolation between their ends.

    Attributes:
        experiment: The experiment whose runs are the trunks.
        trunk_seeds: Seeds of the trunks, a part of `seeds`.
        split_steps: Steps from which branches start, a part of the experiment's split steps.
        num_branches: Branches at each split step of each trunk, each with its own data order.
        num_points: Points on the line between two branch ends, both ends included.
    """

    experiment: Name
    trunk_seeds: Seeds
    split_steps: Annotated[Steps, Field(min_length=1)]
    num_branches: Annotated[int, Field(ge=2)]
    num_points: Annotated[int, Field(ge=3)]
