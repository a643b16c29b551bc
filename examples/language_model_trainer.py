"""The language model of the plain loop, trained and watched by `transformers.Trainer`."""

import argparse
import tempfile

import torch
from language_model import LENGTH, LanguageModel, tokens_of_text
from torch import Tensor, nn
from torch.utils.data import Dataset
from transformers import Trainer, TrainingArguments

from specflow.live.trainer import WatchCallback


class Windows(Dataset[dict[str, Tensor]]):
    """Pieces of a text, and the token that follows each of theirs."""

    def __init__(self, tokens: Tensor) -> None:
        """Cut a text."""
        self._windows = tokens.unfold(0, LENGTH + 1, 7)

    def __len__(self) -> int:
        return len(self._windows)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        window = self._windows[index]
        return {"tokens": window[:-1], "labels": window[1:]}


class WithLoss(nn.Module):
    """A language model as `Trainer` takes it: with its loss."""

    def __init__(self, model: LanguageModel) -> None:
        """Wrap a model."""
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Return loss and logits."""
        logits = self.model(tokens)
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())
        return {"loss": loss, "logits": logits}


def train(steps: int, path: str) -> float:
    """Train, and return the mean loss."""
    torch.manual_seed(0)
    tokens, num_tokens = tokens_of_text()
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder,
            max_steps=steps,
            per_device_train_batch_size=16,
            learning_rate=1e-3,
            use_cpu=True,
            report_to=[],
            save_strategy="no",
            disable_tqdm=True,
        )
        trainer = Trainer(
            WithLoss(LanguageModel(num_tokens)),
            arguments,
            train_dataset=Windows(tokens),
            callbacks=[WatchCallback(path, every=200)],
        )
        return trainer.train().training_loss


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--output", default="language_model_trainer.h5")
    chosen = parser.parse_args()
    print(f"mean loss: {train(chosen.steps, chosen.output):.3f}")
    print(f"specflow page {chosen.output}")
