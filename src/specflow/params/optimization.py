"""Optimizer and schedule sections of params.yaml."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from specflow.section import Count, Index, NonNegative, Positive, Section, Steps

Momentum = Annotated[float, Field(ge=0, lt=1)]


class AdamWParams(Section):
    """AdamW (Loshchilov & Hutter 2019): weight decay is decoupled and scaled by the rate."""

    kind: Literal["adamw"]
    learning_rate: Positive
    betas: Annotated[tuple[Momentum, Momentum], Field(strict=False)]
    weight_decay: NonNegative


class SgdParams(Section):
    """Stochastic gradient descent with momentum; weight decay is added to the gradient."""

    kind: Literal["sgd"]
    learning_rate: Positive
    momentum: Momentum
    weight_decay: NonNegative


OptimizerParams = Annotated[AdamWParams | SgdParams, Field(discriminator="kind")]


class ConstantSchedule(Section):
    """Linear warm-up over `warmup_steps`, then a constant learning rate."""

    kind: Literal["constant"]
    warmup_steps: Index


class StepSchedule(Section):
    """Linear warm-up, then the rate is multiplied by `factor` at each of the epochs given."""

    kind: Literal["step"]
    warmup_steps: Index
    epochs: Annotated[Steps, Field(min_length=1)]
    factor: Positive


class CosineSchedule(Section):
    """Linear warm-up, then half a cosine down to `final_fraction` of the peak.

    It ends after `num_steps` steps (null: at the end of training) and stays there. With `per:
    epoch` the rate changes between epochs only.
    """

    kind: Literal["cosine"]
    warmup_steps: Index
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


ScheduleParams = Annotated[
    ConstantSchedule | StepSchedule | CosineSchedule, Field(discriminator="kind")
]
