"""Text packed into windows of one length without padding, and what each window stands for."""

from collections.abc import Iterable, Iterator

import numpy as np

from specflow.datasets.storage import DatasetWriter, Split
from specflow.datasets.tokenizers import Tokenizer
from specflow.errors import SpecflowError

_PIECE_CHARACTERS = 2**20


def packed(documents: Iterable[str], tokenizer: Tokenizer, length: int) -> Iterator[np.ndarray]:
    """Yield windows over documents one after the other, a separator before and between them.

    A window's last token is the next one's first, so that every token but the very first is
    predicted once. What is left at the end and fills no window is left out.

    Args:
        documents: Read once, about a million characters at a time.
        tokenizer: Makes their tokens.
        length: Number of predicted tokens of a window.

    Yields:
        Windows of shape (number, length + 1), int32.
    """
    rest = np.empty(0, np.int32)
    separator = np.array([tokenizer.separator], np.int32)
    for piece in _pieces(documents):
        parts = [rest]
        for tokens in tokenizer.encode(piece):
            parts += [separator, tokens]
        rest = np.concatenate(parts)
        end = (len(rest) - 1) // length * length
        if end:
            yield np.lib.stride_tricks.sliding_window_view(rest, length + 1)[:end:length]
            rest = rest[end:]


def _pieces(documents: Iterable[str]) -> Iterator[list[str]]:
    """Yield documents in lists of about a million characters."""
    piece: list[str] = []
    size = 0
    for text in documents:
        piece.append(text)
        size += len(text)
        if size >= _PIECE_CHARACTERS:
            yield piece
            piece, size = [], 0
    if piece:
        yield piece


class WindowWriter:
    """Writes windows with the bytes and the bits of the byte-unigram model that they stand for."""

    def __init__(
        self, writer: DatasetWriter, tokenizer: Tokenizer, unigram_bits: np.ndarray
    ) -> None:
        """Get ready.

        Args:
            writer: Takes the arrays.
            tokenizer: Made the tokens.
            unigram_bits: Bits of each byte under the byte-unigram model, shape (256,).
        """
        self._writer = writer
        contents = [np.frombuffer(content, np.uint8) for content in tokenizer.contents]
        self._bytes = np.array([len(content) for content in contents], np.int64)
        self._bits = np.array([unigram_bits[content].sum() for content in contents])

    def write(self, split: Split, windows: Iterable[np.ndarray], count: int) -> float:
        """Write the first `count` windows.

        `tokens` (N, length + 1) int32: the input and, one further, the targets; `num_bytes` (N,)
        int64: the bytes of the targets; `unigram_bits` (N,) float64: the bits that the
        byte-unigram model needs for these.

        Args:
            split: Part of the dataset that they belong to.
            windows: Pieces of shape (number, length + 1), read as far as needed.
            count: Number of windows wanted.

        Returns:
            Bits per byte of the byte-unigram model over the windows written.

        Raises:
            SpecflowError: If there are fewer.
        """
        found, num_bytes, num_bits = 0, 0, 0.0
        for piece in windows:
            tokens = np.ascontiguousarray(piece[: count - found])
            lengths = self._bytes[tokens[:, 1:]].sum(axis=1)
            bits = self._bits[tokens[:, 1:]].sum(axis=1)
            self._writer.append(split, "tokens", tokens)
            self._writer.append(split, "num_bytes", lengths)
            self._writer.append(split, "unigram_bits", bits)
            found += len(tokens)
            num_bytes += int(lengths.sum())
            num_bits += float(bits.sum())
            if found == count:
                return num_bits / num_bytes
        raise SpecflowError(
            f"num_{split}_sequences: got {count}; expected at most the {found} that the {split} "
            "text fills at this length with these tokens"
        )
