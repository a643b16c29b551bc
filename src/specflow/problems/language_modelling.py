"""Language modelling: cross-entropy of the next token at every position."""

import math
from collections.abc import Mapping
from functools import cached_property
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from specflow.datasets.shapes import TokenShape
from specflow.datasets.storage import Split
from specflow.problems.settings import ProblemSection, ProblemSettings
from specflow.problems.task import Data, Selection, Task, Totals, share_losses


class LanguageModellingParams(ProblemSection):
    """Cross-entropy of the next token at every position of a window of text."""

    kind: Literal["language_modelling"]
    reads_text: ClassVar[bool] = True
    # bits per byte are the loss in other units
    metrics: ClassVar[Mapping[str, str]] = {"loss": "loss", "error": "next-token error"}

    def task(self, settings: ProblemSettings, data: Data, fingerprint: str) -> "LanguageModelling":
        """Return the task on some data."""
        return LanguageModelling(settings, data, fingerprint)

    def random_samples(
        self, shape: TokenShape, count: int, device: torch.device, num_frames: int = 3
    ) -> dict[str, Tensor]:
        """Return random windows."""
        return {"tokens": torch.randint(shape.num_tokens, (count, shape.length + 1), device=device)}


class LanguageModelling(Task):
    """The token that follows each position of a window; every window is full."""

    def training_loss(self, model: nn.Module, selection: Selection) -> Tensor:
        """Return the mean cross-entropy in nats per token."""
        logits, targets = self._predict(model, "train", selection)
        return functional.cross_entropy(logits, targets)

    def totals(self, model: nn.Module, split: Split, selection: Selection) -> Totals:
        """Return cross-entropy in nats per token (loss) and wrong next tokens (error).

        Losses of different tokenizers compare as `bits_per_byte`: the bits of all tokens over the
        bytes of text that they stand for. `bits_per_byte_baseline` is the same of a predictor
        that knows the shares of bytes in the training text alone, whatever the network.
        """
        logits, targets = self._predict(model, split, selection)
        # In float64 the logits of a large vocabulary would not fit; the sum over tokens does.
        losses = functional.cross_entropy(logits, targets, reduction="none").double()
        loss, count = losses.sum(), len(targets)
        wrong = (logits.argmax(dim=1) != targets).sum(dtype=torch.float64)
        part = self.data[split]
        num_bytes = int(part["num_bytes"][selection].sum())
        return {
            "loss": (loss, count),
            "error": (wrong, count),
            "bits_per_byte": (loss / math.log(2), num_bytes),
            "bits_per_byte_baseline": (part["unigram_bits"][selection].sum(), num_bytes),
        }

    def baseline_losses(self, split: Split, selection: Selection) -> Tensor:
        """Return the mean over a window of -log of the share that each token has in training."""
        return self._losses_of_tokens[self._targets(split, selection)].mean(1)

    @cached_property
    def _losses_of_tokens(self) -> Tensor:
        shape = self.settings.shape
        assert isinstance(shape, TokenShape)
        return share_losses(self._targets("train", slice(None)), shape.num_tokens)

    def _targets(self, split: Split, selection: Selection) -> Tensor:
        return self.data[split]["tokens"][selection, 1:].long()

    def _predict(
        self, model: nn.Module, split: Split, selection: Selection
    ) -> tuple[Tensor, Tensor]:
        """Return logits (B * T, V) and the targets (B * T,), the tokens one further."""
        tokens = self.data[split]["tokens"][selection].long()
        return model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten()
