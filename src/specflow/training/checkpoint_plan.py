"""Checkpoint plan: which steps of a run are kept, computed from numbers of params.yaml alone."""

import math
from typing import Annotated, Literal

from pydantic import Field

from specflow.section import Count, Section, Steps

MOST_KEPT = 10_000


class EveryEpochs(Section):
    """A checkpoint every `epochs` epochs.

    Attributes:
        epochs: Epochs from one to the next.
    """

    kind: Literal["every"]
    epochs: Count

    def steps(self, steps_per_epoch: int, num_epochs: int) -> set[int]:
        """Return the steps after which a checkpoint is taken."""
        return {epoch * steps_per_epoch for epoch in range(0, num_epochs + 1, self.epochs)}


class LogSpaced(Section):
    """About `count` checkpoints, evenly spaced in the logarithm of the step.

    Attributes:
        count: How many; those that fall on one step coincide.
    """

    kind: Literal["log"]
    count: Annotated[int, Field(ge=2, le=MOST_KEPT)]

    def steps(self, steps_per_epoch: int, num_epochs: int) -> set[int]:
        """Return the steps after which a checkpoint is taken."""
        last = math.log(steps_per_epoch * num_epochs)
        return {round(math.exp(last * i / (self.count - 1))) for i in range(self.count)}


class CheckpointParams(Section):
    """When weights are kept: at step 0, at the last step, and as said here.

    Attributes:
        first_epoch_points: How many more within the first epoch, evenly.
        spacing: Which more over the whole of training.
        split_steps: Which more, where the optimizer state is kept too, for connections and tickets.
    """

    first_epoch_points: Annotated[int, Field(ge=0, le=MOST_KEPT)]
    spacing: Annotated[EveryEpochs | LogSpaced, Field(discriminator="kind")]
    split_steps: Steps

    def steps(self, steps_per_epoch: int, num_epochs: int) -> tuple[int, ...]:
        """Return all kept steps, strictly ascending, from 0 to the last."""
        points = self.first_epoch_points
        early = {round(steps_per_epoch * i / (points + 1)) for i in range(1, points + 1)}
        kept = self.spacing.steps(steps_per_epoch, num_epochs)
        return tuple(sorted({0, steps_per_epoch * num_epochs, *self.split_steps} | early | kept))
