"""Text packed into windows of one length without padding, and what each window stands for."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import ClassVar

import numpy as np

from specflow.datasets.dataset import DatasetSection
from specflow.datasets.shapes import TokenShape
from specflow.datasets.storage import DatasetWriter, Split
from specflow.datasets.tokenizers import Tokenizer, TokenizerParams, unigram_bits
from specflow.errors import SpecflowError
from specflow.section import Count

Documents = Callable[[], Iterable[str]]
_PIECE_CHARACTERS = 2**20


class TextParams(DatasetSection):
    """Text in windows; preparing fails if it fills too few.

    Attributes:
        tokenizer: How text becomes tokens.
        length: Predicted tokens of a window.
        num_train_sequences: Windows to train on.
        num_validation_sequences: Windows to validate on.
    """

    tokenizer: TokenizerParams
    length: Count
    num_train_sequences: Count
    num_validation_sequences: Count
    is_text: ClassVar[bool] = True

    @property
    def num_train(self) -> int:
        """Number of training samples."""
        return self.num_train_sequences

    @property
    def num_validation(self) -> int:
        """Number of validation samples."""
        return self.num_validation_sequences

    @property
    def shape(self) -> TokenShape:
        """Shape of a sample."""
        return TokenShape(num_tokens=self.tokenizer.num_tokens, length=self.length)


def write_text(
    params: TextParams,
    writer: DatasetWriter,
    parts: Mapping[Split, Documents],
    *,
    text_sha256: str,
    shuffle: np.random.Generator | None = None,
) -> None:
    """Write windows of both parts, the tokenizer trained on the training part.

    The arrays are those of `write_windows`. Metadata: `text_sha256`, `tokenizer` (JSON),
    `unigram_bits_per_byte` of the validation windows.

    Args:
        params: Tokens, length, and numbers of windows.
        writer: Takes the arrays.
        parts: Read the documents of both parts. That of the training part is called three times:
            for the tokenizer, for the byte-unigram model, and to encode.
        text_sha256: SHA-256 of the source.
        shuffle: Draws the order of the windows of each part; None leaves them in theirs.

    Raises:
        SpecflowError: If there are fewer windows or tokens than the params want; the message
            says how many there are.
    """
    tokenizer = params.tokenizer.train(parts["train"]())
    byte_bits = unigram_bits(parts["train"]())
    for split, documents in parts.items():
        windows: Iterable[np.ndarray] = packed(documents(), tokenizer, params.length)
        if shuffle is not None:
            pieces = list(windows)
            windows = [shuffle.permutation(np.concatenate(pieces))] if pieces else []
        count = params.num_samples(split)
        baseline = write_windows(writer, split, windows, count, tokenizer, byte_bits)
    writer.describe(
        {
            "text_sha256": text_sha256,
            "tokenizer": tokenizer.definition,
            "unigram_bits_per_byte": baseline,
        }
    )


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


def write_windows(
    writer: DatasetWriter,
    split: Split,
    windows: Iterable[np.ndarray],
    count: int,
    tokenizer: Tokenizer,
    byte_bits: np.ndarray,
) -> float:
    """Write the first `count` windows, with the bytes and bits that they stand for.

    `tokens` (N, length + 1) int32: the input and, one further, the targets; `num_bytes` (N,)
    int64: the bytes of the targets; `unigram_bits` (N,) float64: the bits that the byte-unigram
    model needs for these.

    Args:
        writer: Takes the arrays.
        split: Part of the dataset that they belong to.
        windows: Pieces of shape (number, length + 1), read as far as needed.
        count: Number of windows wanted.
        tokenizer: Made the tokens.
        byte_bits: Bits of each byte under the byte-unigram model, shape (256,).

    Returns:
        Bits per byte of the byte-unigram model over the windows written.

    Raises:
        SpecflowError: If there are fewer windows.
    """
    contents = [np.frombuffer(content, np.uint8) for content in tokenizer.contents]
    bytes_of = np.array([len(content) for content in contents], np.int64)
    bits_of = np.array([byte_bits[content].sum() for content in contents])
    found, num_bytes, num_bits = 0, 0, 0.0
    for piece in windows:
        tokens = np.ascontiguousarray(piece[: count - found])
        lengths = bytes_of[tokens[:, 1:]].sum(axis=1)
        bits = bits_of[tokens[:, 1:]].sum(axis=1)
        writer.append(split, "tokens", tokens)
        writer.append(split, "num_bytes", lengths)
        writer.append(split, "unigram_bits", bits)
        found += len(tokens)
        num_bytes += int(lengths.sum())
        num_bits += float(bits.sum())
        if found == count:
            return num_bits / num_bytes
    raise SpecflowError(
        f"num_{split}_sequences: got {count}; expected at most the {found} that the {split} "
        "text fills at this length with these tokens"
    )
