"""Checkpoint plan: which steps of a run are kept, computed from numbers of params.yaml alone."""

import math
from typing import Annotated, Literal

from pydantic import Field

from specflow.section import Count, Index, Section, Steps


class EveryEpochs(Section):
    """A checkpoint every `epochs` epochs."""

    kind: Literal["every"]
    epochs: Count

    def steps(self, steps_per_epoch: int, num_epochs: int) -> set[int]:
        """Return the steps after which a checkpoint is taken."""
        return {epoch * steps_per_epoch for epoch in range(0, num_epochs + 1, self.epochs)}


class LogSpaced(Section):
    """About `count` checkpoints, evenly spaced in the logarithm of the step."""

    kind: Literal["log"]
    count: Annotated[int, Field(ge=2)]

    def steps(self, steps_per_epoch: int, num_epochs: int) -> set[int]:
        """Return the steps after which a checkpoint is taken (close ones coincide)."""
        last = math.log(steps_per_epoch * num_epochs)
        return {round(math.exp(last * i / (self.count - 1))) for i in range(self.count)}


class CheckpointParams(Section):
    """When weights are kept, and at which of these steps the optimizer state is kept too."""

    first_epoch_points: Index
    spacing: Annotated[EveryEpochs | LogSpaced, Field(discriminator="kind")]
    split_steps: Steps

    def steps(self, steps_per_epoch: int, num_epochs: int) -> tuple[int, ...]:
        """Return all kept steps in ascending order.

        Step 0 and the last step are always kept. `first_epoch_points` lie evenly inside the first
        epoch, neither at its start nor at its end.

        Args:
            steps_per_epoch: Number of optimizer steps in an epoch.
            num_epochs: Length of training in epochs.

        Returns:
            Steps in [0, steps_per_epoch * num_epochs], strictly ascending.
        """
        points = self.first_epoch_points
        early = {round(steps_per_epoch * i / (points + 1)) for i in range(1, points + 1)}
        kept = self.spacing.steps(steps_per_epoch, num_epochs)
        return tuple(sorted({0, steps_per_epoch * num_epochs} | early | kept))
