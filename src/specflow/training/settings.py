"""Settings of training: as a task of params.yaml has them, and resolved for an experiment."""

import math
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, model_validator

from specflow.problems.settings import ProblemParams, ProblemSettings
from specflow.section import Count, Name, Positive, Seeds
from specflow.training.checkpoint_plan import MOST_KEPT, CheckpointParams, EveryEpochs
from specflow.training.optimizers import Optimizer
from specflow.training.schedules import Schedule


def _whole_or_full(value: object) -> object:
    if value != "full" and (type(value) is not int or value < 1):
        raise ValueError("expected a whole number from 1, or full")
    return value


BatchSize = Annotated[
    int | Literal["full"],
    BeforeValidator(_whole_or_full, json_schema_input_type=Count | Literal["full"]),
]


class TrainingParams(ProblemParams):
    """A kind of learning problem with its model, optimizer, budget and checkpoint plan.

    Attributes:
        optimizer: What takes the steps.
        schedule: Factor on the learning rate of each step.
        batch_size: Samples of an optimizer step; full means all of the training part.
        accumulation_steps: Parts of a batch whose gradients are added up, to save memory.
        num_epochs: Length of training.
        gradient_clip: Greatest norm of the gradient of all parameters; None leaves it as it is.
        precision: Of matrix products in training; other than float32 on CUDA alone.
        checkpoints: Which steps are kept.
    """

    optimizer: Optimizer
    schedule: Schedule
    batch_size: BatchSize
    accumulation_steps: Count
    num_epochs: Count
    gradient_clip: Positive | None
    precision: Literal["float32", "bfloat16", "float16"]
    checkpoints: CheckpointParams

    @model_validator(mode="after")
    def _few_are_kept(self) -> Self:
        spacing = self.checkpoints.spacing
        if isinstance(spacing, EveryEpochs) and self.num_epochs // spacing.epochs >= MOST_KEPT:
            raise ValueError(
                f"a checkpoint every {spacing.epochs} of {self.num_epochs} epochs; expected fewer "
                f"than {MOST_KEPT} (num_epochs, checkpoints.spacing.epochs)"
            )
        return self

    def samples_per_step(self, num_train: int) -> int:
        """Return the number of samples of an optimizer step (the last of an epoch may be less)."""
        return num_train if self.batch_size == "full" else min(self.batch_size, num_train)

    def steps_per_epoch(self, num_train: int) -> int:
        """Return the number of optimizer steps of an epoch."""
        return math.ceil(num_train / self.samples_per_step(num_train))

    def num_steps(self, num_train: int) -> int:
        """Return the number of optimizer steps of the whole training."""
        return self.num_epochs * self.steps_per_epoch(num_train)

    def checkpoint_steps(self, num_train: int) -> tuple[int, ...]:
        """Return the steps whose weights are kept, ascending, from 0 to the last."""
        return self.checkpoints.steps(self.steps_per_epoch(num_train), self.num_epochs)


class RunSettings(TrainingParams, ProblemSettings):
    """The resolved training of an experiment, complete and independent of params.yaml.

    Attributes:
        num_train: Number of training samples of the dataset.
    """

    experiment: Name
    num_train: Count
    seeds: Seeds

    @property
    def kept_steps(self) -> tuple[int, ...]:
        """The steps whose weights are kept, ascending, from 0 to the last."""
        return self.checkpoint_steps(self.num_train)

    @property
    def epoch_steps(self) -> int:
        """Number of optimizer steps of an epoch."""
        return self.steps_per_epoch(self.num_train)
