"""Text packed into windows of one length without padding, and what each window stands for."""

from collections.abc import Callable, Iterable, Iterator
from typing import ClassVar

import numpy as np

from specflow.datasets.dataset import DatasetSection
from specflow.datasets.shapes import TokenShape
from specflow.datasets.storage import DatasetWriter, Split
from specflow.datasets.tokenizers import Tokenizer, TokenizerParams, build_tokenizer
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
    train: Documents,
    validation: Documents,
    *,
    text_sha256: str,
    shuffle: np.random.Generator | None = None,
) -> None:
    """Write windows of both parts, the tokenizer trained on the training part.

    The arrays are those of `WindowWriter.write`. Metadata: `text_sha256`, `tokenizer` (JSON),
    `unigram_bits_per_byte` of the validation windows.

    Args:
        params: Tokens, length, and numbers of windows.
        writer: Takes the arrays.
        train: Reads the documents of the training part; called twice, to train the tokenizer
            and to encode.
        validation: Reads those of the validation part.
        text_sha256: SHA-256 of the source.
        shuffle: Draws the order of the windows of each part; None leaves them in theirs.

    Raises:
        SpecflowError: If there are fewer windows or tokens than the params want; the message
            says how many there are.
    """
    tokenizer, unigram_bits = build_tokenizer(params.tokenizer, train())
    kept = WindowWriter(writer, tokenizer, unigram_bits)
    parts: dict[Split, Documents] = {"train": train, "validation": validation}
    for split, documents in parts.items():
        windows: Iterable[np.ndarray] = packed(documents(), tokenizer, params.length)
        if shuffle is not None:
            pieces = list(windows)
            windows = [shuffle.permutation(np.concatenate(pieces))] if pieces else []
        baseline = kept.write(split, windows, params.num_samples(split))
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
