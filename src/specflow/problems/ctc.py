"""Speech recognition: connectionist temporal classification (Graves et al. 2006), greedy decoding.

The loss of an utterance is -log p(transcript | frames) in nats for each character of it; the loss
of several is the mean over utterances (as `torch.nn.CTCLoss` has it). Infinite losses are never
set to zero: an utterance with too few frames for its transcript is refused where data are prepared.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import ClassVar, Literal

import torch
from rapidfuzz.distance import Levenshtein
from torch import Tensor, nn
from torch.nn import functional

from specflow.datasets.shapes import SpeechShape
from specflow.datasets.storage import Split
from specflow.problems.settings import ProblemSection, ProblemSettings
from specflow.problems.task import Data, Selection, Task, Totals

BLANK = 0


class CtcParams(ProblemSection):
    """Transcripts of utterances, by connectionist temporal classification (Graves et al. 2006)."""

    kind: Literal["ctc"]
    metrics: ClassVar[Mapping[str, str]] = {
        "loss": "loss",
        "error": "character error rate",
        "word_error": "word error rate",
    }

    def task(self, settings: ProblemSettings, data: Data, fingerprint: str) -> "Ctc":
        """Return the task on some data."""
        return Ctc(settings, data, fingerprint)

    def random_samples(
        self, shape: SpeechShape, count: int, device: torch.device, num_frames: int = 3
    ) -> dict[str, Tensor]:
        """Return random utterances, each second frame of which has a character."""
        length = (num_frames + 1) // 2  # enough frames for a blank before every symbol
        return {
            "inputs": torch.randn(count, num_frames, shape.num_features, device=device),
            "input_lengths": torch.full((count,), num_frames, device=device),
            "targets": torch.randint(1, shape.num_symbols, (count, length), device=device),
            "target_lengths": torch.full((count,), length, device=device),
        }


class Ctc(Task):
    """Utterances to be written down, character by character.

    Data: `inputs` (N, T, F) float32 and `input_lengths` (N,), frames padded with zeros; `targets`
    (N, L) and `target_lengths` (N,), symbols padded with the blank.
    """

    def training_loss(self, model: nn.Module, selection: Selection) -> Tensor:
        """Return the mean over utterances of the loss in nats for each character."""
        logits = self._logits(model, "train", selection)
        return self._losses("train", selection, logits.float()).mean()

    def totals(self, model: nn.Module, split: Split, selection: Selection) -> Totals:
        """Return the totals of all metrics.

        `loss` is as in training. `error` is the character error rate: edits (insertions,
        deletions, substitutions) that turn the greedy transcripts into the true ones, over the
        characters of the true ones; `word_error` is the same of words. Both may exceed 1.
        """
        logits = self._logits(model, split, selection)
        part = self.data[split]
        losses = self._losses(split, selection, logits.double())
        symbols = best_path(logits, part["input_lengths"][selection])
        targets, lengths = part["targets"][selection], part["target_lengths"][selection]
        found = [self._text(utterance) for utterance in symbols]
        true = [
            self._text(row[:length].tolist())
            for row, length in zip(targets.cpu(), lengths.tolist(), strict=True)
        ]
        return {
            "loss": (losses.sum(), len(losses)),
            "error": edits(found, true),
            "word_error": edits([text.split() for text in found], [text.split() for text in true]),
        }

    def baseline_losses(self, split: Split, selection: Selection) -> Tensor:
        """Return the losses of one distribution of symbols for every frame.

        Characters have their share of all training frames if each takes one; the rest is blank.
        """
        lengths = self.data[split]["input_lengths"][selection]
        logits = self._logits_of_symbols.expand(len(lengths), int(lengths.max()), -1)
        return self._losses(split, selection, logits)

    @cached_property
    def _logits_of_symbols(self) -> Tensor:
        train, num_symbols = self.data["train"], self._shape.num_symbols
        counts = torch.bincount(train["targets"].flatten(), minlength=num_symbols).double()
        counts[BLANK] = 0
        counts += 1  # a character that no transcript has is not impossible
        counts[BLANK] += (train["input_lengths"].sum() - counts.sum()).clamp(min=0)
        return counts.log()

    def _logits(self, model: nn.Module, split: Split, selection: Selection) -> Tensor:
        """Return logits (utterances, frames of the longest one, symbols)."""
        part = self.data[split]
        return model(part["inputs"][selection], part["input_lengths"][selection])

    def _losses(self, split: Split, selection: Selection, logits: Tensor) -> Tensor:
        """Return the loss of each utterance in nats for each character."""
        part = self.data[split]
        lengths = part["target_lengths"][selection]
        losses = functional.ctc_loss(
            logits.log_softmax(dim=2).transpose(0, 1),
            part["targets"][selection],
            part["input_lengths"][selection],
            lengths,
            blank=BLANK,
            reduction="none",
            zero_infinity=False,
        )
        return losses / lengths

    def _text(self, symbols: list[int]) -> str:
        return "".join(self._shape.characters[symbol - 1] for symbol in symbols)

    @property
    def _shape(self) -> SpeechShape:
        shape = self.settings.shape
        assert isinstance(shape, SpeechShape)
        return shape


def best_path(logits: Tensor, lengths: Tensor) -> list[list[int]]:
    """Return the greedy transcripts of logits (B, T, C) and numbers of true frames (B,).

    They are the best symbols of all frames, repeats merged, blanks left out.
    """
    best = logits.argmax(dim=2)
    kept = best != BLANK
    kept[:, 1:] &= best[:, 1:] != best[:, :-1]
    kept &= torch.arange(best.shape[1], device=best.device) < lengths[:, None]
    return [row[keep].tolist() for row, keep in zip(best.cpu(), kept.cpu(), strict=True)]


def edits(found: list, true: list) -> tuple[Tensor, int]:
    """Return the sum of Levenshtein distances, a float64 scalar, and of the lengths of `true`."""
    total = sum(Levenshtein.distance(a, b) for a, b in zip(found, true, strict=True))
    return torch.tensor(total, dtype=torch.float64), sum(map(len, true))
