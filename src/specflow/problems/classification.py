"""Classification: cross-entropy and the share of wrong answers, per sample."""

from collections.abc import Mapping
from functools import cached_property
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from specflow.datasets.shapes import ImageShape, TokenShape
from specflow.datasets.storage import Split
from specflow.problems.settings import ProblemSection, ProblemSettings
from specflow.problems.task import Data, Selection, Task, Totals, share_losses


class ClassificationParams(ProblemSection):
    """Cross-entropy of one class for each sample; of a sequence, of the token that follows it."""

    kind: Literal["classification"]
    metrics: ClassVar[Mapping[str, str]] = {"loss": "loss", "error": "classification error"}

    def task(self, settings: ProblemSettings, data: Data, fingerprint: str) -> "Classification":
        """Return the task on some data."""
        return Classification(settings, data, fingerprint)

    def random_samples(
        self, shape: ImageShape | TokenShape, count: int, device: torch.device, num_frames: int = 3
    ) -> dict[str, Tensor]:
        """Return random images or sequences, and their classes."""
        if isinstance(shape, ImageShape):
            inputs = torch.randn(count, shape.channels, shape.size, shape.size, device=device)
            classes = shape.num_classes
        else:
            inputs = torch.randint(shape.num_tokens, (count, shape.length), device=device)
            classes = shape.num_tokens
        return {"inputs": inputs, "targets": torch.randint(classes, (count,), device=device)}


class Classification(Task):
    """One class for each sample; of a sequence, the token after the last position."""

    last_position_only = True

    def training_loss(self, model: nn.Module, selection: Selection) -> Tensor:
        """Return the mean cross-entropy in nats."""
        part = self.data["train"]
        return functional.cross_entropy(
            model(part["inputs"][selection]), part["targets"][selection]
        )

    def baseline_losses(self, split: Split, selection: Selection) -> Tensor:
        """Return -log of the share that each sample's class has in the training part."""
        return self._losses_of_classes[self.data[split]["targets"][selection]]

    def totals(self, model: nn.Module, split: Split, selection: Selection) -> Totals:
        """Return the summed cross-entropy in nats (loss) and the wrong answers (error)."""
        part = self.data[split]
        logits = model(part["inputs"][selection]).double()
        targets = part["targets"][selection]
        loss = functional.cross_entropy(logits, targets, reduction="sum")
        wrong = (logits.argmax(dim=1) != targets).sum(dtype=torch.float64)
        return {"loss": (loss, len(targets)), "error": (wrong, len(targets))}

    @cached_property
    def _losses_of_classes(self) -> Tensor:
        shape = self.settings.shape
        assert isinstance(shape, ImageShape | TokenShape)
        num_values = shape.num_classes if isinstance(shape, ImageShape) else shape.num_tokens
        return share_losses(self.data["train"]["targets"], num_values)
