"""Task sections of params.yaml: everything a run needs beside its data."""

import math
from typing import Annotated, Literal

from pydantic import Field

from specflow.params.base import Count, Name, Positive, Section, Seeds
from specflow.params.checkpoints import CheckpointParams
from specflow.params.datasets import DatasetParams
from specflow.params.models import ModelParams
from specflow.params.optimization import OptimizerParams, ScheduleParams
from specflow.params.problems import ProblemParams


class EvaluationParams(Section):
    """How loss and error are measured at checkpoints.

    Attributes:
        batch_size: Samples in one forward pass.
        max_train_samples: Training metrics use at most so many samples, the first of the training
            part; null means all.
        batch_norm_samples: Training samples from which BatchNorm statistics are re-estimated
            after any change of weights by hand.
    """

    batch_size: Count
    max_train_samples: Count | None
    batch_norm_samples: Count


class PruningParams(Section):
    """SVD pruning: the fractions of every spectrum that are kept, from the top and the bottom."""

    keep_fractions: Annotated[
        tuple[Annotated[float, Field(gt=0, lt=1)], ...], Field(strict=False, min_length=1)
    ]


class SpectraParams(Section):
    """What is stored of every matrix at every checkpoint.

    Attributes:
        diagonal_length: Leading entries kept of the diagonals of agreement and alignment.
        score_length: Leading entries whose mean is the agreement score or alignment score.
        mass: Share of the sum of singular values that the mass rank must exceed.
    """

    diagonal_length: Count
    score_length: Count
    mass: Annotated[float, Field(gt=0, lt=1)]


class TrainingParams(Section):
    """A kind of learning problem with its model, optimizer, budget and checkpoint plan."""

    problem: ProblemParams
    model: ModelParams
    optimizer: OptimizerParams
    schedule: ScheduleParams
    batch_size: Count | Literal["full"]
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

    pruning: PruningParams
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
