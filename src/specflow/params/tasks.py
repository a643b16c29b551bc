"""Task sections of params.yaml: everything a run needs beside its data."""

import math
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from specflow.params.checkpoints import CheckpointParams
from specflow.params.datasets import DatasetParams, DataShape
from specflow.params.models import ModelParams
from specflow.params.optimization import OptimizerParams, ScheduleParams
from specflow.params.problems import ProblemParams
from specflow.section import Count, Fraction, Name, Positive, Section, Seeds, ascending


class EvaluationParams(Section):
    """How loss and error are measured at checkpoints.

    Attributes:
        batch_size: Samples in one forward pass.
        max_train_samples: Training metrics use at most so many samples, the first of the training
            part; null means all.
    """

    batch_size: Count
    max_train_samples: Count | None


class InterventionParams(Section):
    """Changes of weights by hand: SVD pruning, and what follows any change.

    Attributes:
        keep_fractions: Fractions of every spectrum that are kept, from the top and the bottom.
        batch_norm_samples: Training samples, the first ones, from which BatchNorm statistics are
            re-estimated.
    """

    keep_fractions: Annotated[
        tuple[Fraction, ...], Field(strict=False, min_length=1), AfterValidator(ascending)
    ]
    batch_norm_samples: Annotated[int, Field(ge=2)]


class SpectraParams(Section):
    """What is stored of every matrix at every checkpoint.

    Attributes:
        diagonal_length: Leading entries kept of the diagonals of agreement and alignment.
        score_length: Leading entries whose mean is the agreement score or alignment score.
        mass: Share of the sum of singular values that the mass rank must exceed.
    """

    diagonal_length: Count
    score_length: Count
    mass: Fraction

    @model_validator(mode="after")
    def _score_fits(self) -> "SpectraParams":
        if self.score_length > self.diagonal_length:
            raise ValueError(
                f"score_length = {self.score_length} exceeds diagonal_length = "
                f"{self.diagonal_length}; expected at most that"
            )
        return self


def _whole_or_full(value: object) -> object:
    if value != "full" and (type(value) is not int or value < 1):
        raise ValueError("expected a whole number from 1, or full")
    return value


BatchSize = Annotated[int | Literal["full"], BeforeValidator(_whole_or_full)]


class TrainingParams(Section):
    """A kind of learning problem with its model, optimizer, budget and checkpoint plan."""

    problem: ProblemParams
    model: ModelParams
    optimizer: OptimizerParams
    schedule: ScheduleParams
    batch_size: BatchSize
    accumulation_steps: Count
    num_epochs: Count
    gradient_clip: Positive | None
    precision: Literal["float32", "bfloat16", "float16"]
    checkpoints: CheckpointParams
    evaluation: EvaluationParams

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


class TaskParams(TrainingParams):
    """A task: how it is trained, and what is measured of it."""

    interventions: InterventionParams
    spectra: SpectraParams


class RunParams(TrainingParams):
    """The resolved config of an experiment's training, complete and independent of params.yaml."""

    experiment: Name
    dataset_name: Name
    dataset: DatasetParams
    seeds: Seeds

    @property
    def kept_steps(self) -> tuple[int, ...]:
        """The steps whose weights are kept, ascending, from 0 to the last."""
        return self.checkpoint_steps(self.dataset.num_train)

    @property
    def epoch_steps(self) -> int:
        """Number of optimizer steps of an epoch."""
        return self.steps_per_epoch(self.dataset.num_train)

    @property
    def num_train(self) -> int:
        """Number of training samples."""
        return self.dataset.num_train

    @property
    def shape(self) -> DataShape:
        """Shape of a sample."""
        return self.dataset.shape
