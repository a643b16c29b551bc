"""What every problem has: a section of params.yaml, which makes its task."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import torch
from torch import Tensor

from specflow.datasets.storage import Split
from specflow.section import ByKind, KindSection

if TYPE_CHECKING:
    from specflow.problems.settings import ProblemSettings
    from specflow.problems.task import Task


class ProblemSection(KindSection):
    """A problem section: what is learned, and how the loss is made.

    Attributes:
        is_generative: Whether its networks can be sampled.
        reads_text: Whether its data are windows of text.
    """

    package: ClassVar[str] = "specflow.problems"
    is_generative: ClassVar[bool] = False
    reads_text: ClassVar[bool] = False

    @abstractmethod
    def task(
        self,
        settings: ProblemSettings,
        data: Mapping[Split, Mapping[str, Tensor]],
        fingerprint: str,
    ) -> Task:
        """Return the task on some data.

        Args:
            settings: The resolved settings, this section among them.
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


Problem = Annotated[ProblemSection, ByKind()]
