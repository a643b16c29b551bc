"""Classification: cross-entropy and the share of wrong answers, per sample."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from specflow.tasks.base import Selection, Split, Task, Totals


class Classification(Task):
    """One class for each sample; of a sequence, the token after the last position."""

    last_position_only = True

    def training_loss(self, model: nn.Module, selection: Selection) -> Tensor:
        """Return the mean cross-entropy in nats."""
        part = self.data["train"]
        return functional.cross_entropy(
            model(part["inputs"][selection]), part["targets"][selection]
        )

    def totals(self, model: nn.Module, split: Split, selection: Selection) -> Totals:
        """Return the summed cross-entropy in nats (loss) and the wrong answers (error)."""
        part = self.data[split]
        logits = model(part["inputs"][selection]).double()
        targets = part["targets"][selection]
        loss = functional.cross_entropy(logits, targets, reduction="sum")
        wrong = (logits.argmax(dim=1) != targets).sum(dtype=torch.float64)
        return {"loss": (loss, len(targets)), "error": (wrong, len(targets))}

    def observe(self, model: nn.Module, selection: Selection) -> None:
        """Pass the selected training samples through the network."""
        model(self.data["train"]["inputs"][selection])
