"""Learning-rate schedules: the factor on the peak rate, a function of the step alone."""

import bisect
import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from specflow.section import Count, Index, Positive, Section, Steps


class _Schedule(Section):
    """What all schedules have.

    Attributes:
        warmup_steps: Steps over which the rate grows linearly, to its peak at the last of them.
    """

    warmup_steps: Index

    def factor_at(self, step: int, steps_per_epoch: int, num_steps: int) -> float:
        """Return the factor, at least 0, on the learning rate of an optimizer step (from 0).

        Warm-up is linear and reaches 1 at its last step: step i of w warm-up steps has (i + 1) / w.
        """
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        return self._after_warmup(step, steps_per_epoch, num_steps)

    def _after_warmup(self, step: int, steps_per_epoch: int, num_steps: int) -> float:
        raise NotImplementedError


class ConstantSchedule(_Schedule):
    """Linear warm-up over `warmup_steps`, then a constant learning rate."""

    kind: Literal["constant"]

    def _after_warmup(self, step: int, steps_per_epoch: int, num_steps: int) -> float:
        return 1.0


class StepSchedule(_Schedule):
    """Linear warm-up, then the rate is multiplied by `factor` at each of the epochs given.

    Attributes:
        epochs: The epochs at whose start the rate changes, from 0.
        factor: What it is multiplied by.
    """

    kind: Literal["step"]
    epochs: Annotated[Steps, Field(min_length=1)]
    factor: Positive

    def _after_warmup(self, step: int, steps_per_epoch: int, num_steps: int) -> float:
        return self.factor ** bisect.bisect(self.epochs, step // steps_per_epoch)


class CosineSchedule(_Schedule):
    """Linear warm-up, then half a cosine down to `final_fraction` of the peak.

    Attributes:
        num_steps: Steps after which it ends and stays, warm-up included; None means at the end of
            training.
        final_fraction: What is left of the peak then.
        per: Whether the rate changes at every step, or between epochs only.
    """

    kind: Literal["cosine"]
    num_steps: Count | None
    final_fraction: Annotated[float, Field(ge=0, le=1)]
    per: Literal["step", "epoch"]

    @model_validator(mode="after")
    def _warmup_ends_before_cosine(self) -> "CosineSchedule":
        if self.num_steps is not None and self.num_steps <= self.warmup_steps:
            raise ValueError(
                f"num_steps = {self.num_steps} is not beyond warmup_steps = {self.warmup_steps}; "
                "expected a larger number (warm-up counts as part of it)"
            )
        return self

    def _after_warmup(self, step: int, steps_per_epoch: int, num_steps: int) -> float:
        if self.per == "epoch":
            step -= step % steps_per_epoch
        end = self.num_steps or num_steps
        progress = (step - self.warmup_steps) / (end - self.warmup_steps)
        wave = 0.5 * (1 + math.cos(math.pi * min(max(progress, 0.0), 1.0)))
        return self.final_fraction + (1 - self.final_fraction) * wave


Schedule = Annotated[ConstantSchedule | StepSchedule | CosineSchedule, Field(discriminator="kind")]
