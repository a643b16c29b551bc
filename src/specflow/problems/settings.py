"""Sections of every problem: what is learned, by what model, and how it is evaluated."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import torch
from torch import Tensor

from specflow.datasets.shapes import DataShape
from specflow.datasets.storage import Split
from specflow.models.network import Model
from specflow.section import ByKind, Count, KindSection, Name, Section

if TYPE_CHECKING:
    from specflow.problems.task import Task

Data = Mapping[Split, Mapping[str, Tensor]]


class ProblemSection(KindSection):
    """A problem section: what is learned, and how the loss is made.

    Attributes:
        is_generative: Whether its networks can be sampled.
        reads_text: Whether its data are windows of text.
        metrics: The metrics that figures show, in their order, and what people call them.
    """

    package: ClassVar[str] = "specflow.problems"
    is_generative: ClassVar[bool] = False
    reads_text: ClassVar[bool] = False
    metrics: ClassVar[Mapping[str, str]] = {"loss": "loss", "error": "error"}

    @abstractmethod
    def task(self, settings: "ProblemSettings", data: Data, fingerprint: str) -> "Task":
        """Return the task of resolved settings, this section among them, on some data.

        Args:
            settings: The resolved settings.
            data: Arrays of both parts, on the device that computes.
            fingerprint: Fingerprint of the data.
        """

    @abstractmethod
    def random_samples(
        self, shape: Any, count: int, device: torch.device, num_frames: int = 3
    ) -> dict[str, Tensor]:
        """Return what a training step reads of `count` samples, where no data are wanted.

        Args:
            shape: Shape of a sample.
            count: Number of samples.
            device: Where they lie; on the device `meta` they have shapes alone.
            num_frames: Frames of every utterance of speech; each second one has a character.

        Returns:
            Arrays by name, drawn from torch's global generator.
        """


class EvaluationParams(Section):
    """How loss and error are measured at checkpoints.

    Attributes:
        batch_size: Samples in one forward pass.
        max_train_samples: Training metrics use at most so many samples, the first of the training
            part; null means all.
    """

    batch_size: Count
    max_train_samples: Count | None


class ProblemParams(Section):
    """A learning problem, the model that is trained on it, and how it is evaluated.

    Attributes:
        problem: What is learned.
        model: What learns it.
        evaluation: How loss and error are measured at checkpoints.
    """

    problem: Annotated[ProblemSection, ByKind()]
    model: Model
    evaluation: EvaluationParams


class ProblemSettings(ProblemParams):
    """The same on a dataset: all that a task depends on beside its data.

    Attributes:
        dataset_name: Name of the dataset.
        shape: Shape of its samples.
    """

    dataset_name: Name
    shape: DataShape
