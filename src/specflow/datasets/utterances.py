"""Utterances as arrays: mel features and transcripts, both padded to the longest of their part."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from specflow.datasets.dataset import DatasetSection
from specflow.datasets.features import NUM_MELS, mel_features
from specflow.datasets.shapes import SpeechShape
from specflow.datasets.storage import DatasetWriter, Split
from specflow.errors import SpecflowError
from specflow.section import Seed
from specflow.threads import one_thread

# What transcripts are written in: with the blank of CTC, 29 symbols as in the paper.
CHARACTERS = " 'abcdefghijklmnopqrstuvwxyz"
_PIECE = 256  # utterances that are padded and written at a time


class SpeechParams(DatasetSection):
    """Utterances with their transcripts.

    Attributes:
        logarithm: Whether features are logarithms of mel energies, or the energies themselves.
        seed: Of all that is drawn at random.
    """

    logarithm: bool
    seed: Seed

    @property
    def shape(self) -> SpeechShape:
        """Shape of an utterance: 40 mel features a frame."""
        return SpeechShape(num_features=NUM_MELS, characters=CHARACTERS)


class Utterance(NamedTuple):
    """What was said and how it sounds.

    Attributes:
        name: What errors call it.
        samples: Shape (n,), 16 kHz, any scale.
        text: Transcript, in lower case.
    """

    name: str
    samples: np.ndarray
    text: str


def write_utterances(
    writer: DatasetWriter,
    split: Split,
    utterances: Iterable[Utterance],
    *,
    logarithm: bool,
    order_seed: int | None = None,
) -> None:
    """Write a part of a dataset; features (5 kB a second of speech) are held in memory.

    `inputs` (N, T, 40) float32 are features of `mel_features`, followed by zeros;
    `input_lengths` (N,) int64 their frames; `targets` (N, L) int64 symbols, that of a character
    being its place in CHARACTERS plus 1, followed by zeros; `target_lengths` (N,) int64.

    Args:
        writer: Takes the arrays.
        split: The part.
        utterances: What it consists of; may be a generator that reads them one by one.
        logarithm: Whether features are logarithms of energies.
        order_seed: Of the random order in which they are written; None leaves them in theirs.

    Raises:
        SpecflowError: If a transcript has another character, or if an utterance is too short for
            its transcript; it names the utterance.
    """
    inputs, targets = _Rows(), _Rows()
    with one_thread():
        for utterance in utterances:
            symbols = _symbols(utterance)
            features = mel_features(utterance.samples, logarithm=logarithm)
            _check_length(utterance, symbols, len(features))
            inputs.append(features)
            targets.append(symbols)
    order = np.arange(len(inputs.lengths))
    if order_seed is not None:
        order = np.random.Generator(np.random.PCG64(order_seed)).permutation(len(order))
    for name, rows in (("input", inputs), ("target", targets)):
        for piece in rows.padded(order):
            writer.append(split, f"{name}s", piece)
        writer.append(split, f"{name}_lengths", np.array(rows.lengths)[order])


def _symbols(utterance: Utterance) -> np.ndarray:
    if not utterance.text or set(utterance.text) - set(CHARACTERS):
        raise SpecflowError(
            f"{utterance.name}: transcript {utterance.text!r}; expected some of {CHARACTERS!r}"
        )
    return np.array([CHARACTERS.index(character) + 1 for character in utterance.text])


def _check_length(utterance: Utterance, symbols: np.ndarray, num_frames: int) -> None:
    # CTC has a frame for each symbol, and for a blank between two that are the same.
    needed = len(symbols) + int((symbols[1:] == symbols[:-1]).sum())
    if num_frames < needed:
        raise SpecflowError(
            f"{utterance.name}: {num_frames} frames for the transcript {utterance.text!r}; "
            f"expected at least {needed}"
        )


class _Rows:
    """Arrays that differ in length only, end to end in one piece of memory.

    Kept one by one they would keep the system from taking back the memory freed between them: four
    times their own size.
    """

    def __init__(self) -> None:
        self.lengths: list[int] = []
        self._packed = bytearray()
        self._template = np.zeros(0)

    def append(self, row: np.ndarray) -> None:
        self.lengths.append(len(row))
        self._packed += row.tobytes()
        self._template = row[:0]

    def padded(self, order: np.ndarray) -> Iterator[np.ndarray]:
        """Yield pieces of the arrays in an order, each array followed by zeros."""
        dtype, row_shape = self._template.dtype, self._template.shape[1:]
        packed = np.frombuffer(self._packed, dtype).reshape(-1, *row_shape)
        rows = np.split(packed, np.cumsum(self.lengths)[:-1])
        for start in range(0, len(order), _PIECE):
            indices = order[start : start + _PIECE]
            piece = np.zeros((len(indices), max(self.lengths), *row_shape), dtype)
            for place, index in zip(piece, indices, strict=True):
                place[: self.lengths[index]] = rows[index]
            yield piece
