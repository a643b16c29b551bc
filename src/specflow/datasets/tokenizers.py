"""Tokens of text: bytes, or byte-pair tokens trained on the training part alone.

Every token stands for a known number of bytes, so that losses of different tokens compare as bits
per byte. One further token, the separator, stands between documents and for no bytes.
"""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Literal, Protocol

import numpy as np
from pydantic import Field

from specflow.errors import SpecflowError
from specflow.section import Section

_SEPARATOR = "<|separator|>"


class ByteParams(Section):
    """Tokens are bytes."""

    kind: Literal["bytes"]

    @property
    def num_tokens(self) -> int:
        """Size of the vocabulary: all bytes, and the separator of documents."""
        return 257


class BytePairParams(Section):
    """Byte-pair tokens, trained on the training part; `num_tokens` is the vocabulary's size."""

    kind: Literal["byte_pairs"]
    num_tokens: Annotated[int, Field(ge=257)]


TokenizerParams = Annotated[ByteParams | BytePairParams, Field(discriminator="kind")]


class Tokenizer(Protocol):
    """What turns documents into tokens.

    Attributes:
        contents: The bytes that each token stands for, by token; none for the separator.
        separator: The token that stands between documents.
        definition: JSON from which the same tokenizer can be made again.
    """

    contents: list[bytes]
    separator: int
    definition: str

    def encode(self, documents: Sequence[str]) -> list[np.ndarray]:
        """Return the tokens of each document, int32, without separators."""


class ByteTokenizer:
    """Tokens are the bytes of UTF-8; the separator is token 256."""

    def __init__(self) -> None:
        """Nothing to learn."""
        self.contents = [bytes([value]) for value in range(256)] + [b""]
        self.separator = 256
        self.definition = json.dumps({"kind": "bytes", "separator": 256})

    def encode(self, documents: Sequence[str]) -> list[np.ndarray]:
        """Return the bytes of each document, int32."""
        return [np.frombuffer(text.encode(), np.uint8).astype(np.int32) for text in documents]


class BytePairTokenizer:
    """Byte-level byte-pair encoding (Sennrich et al. 2016; Radford et al. 2019).

    Merges never cross the borders of words, digits and punctuation. The separator is token 0.
    """

    def __init__(self, num_tokens: int, documents: Iterable[str]) -> None:
        """Learn the merges.

        Args:
            num_tokens: Size of the vocabulary: 256 bytes, the separator, and what is merged.
            documents: What to learn from, read once.

        Raises:
            SpecflowError: If the documents have fewer pairs to merge.
        """
        # Stated, so that the package has no warning to print when this process starts another.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
        from tokenizers import Tokenizer, models, pre_tokenizers, trainers

        self._tokenizer = Tokenizer(models.BPE())
        self._tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        trainer = trainers.BpeTrainer(
            vocab_size=num_tokens,
            min_frequency=2,
            special_tokens=[_SEPARATOR],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        self._tokenizer.train_from_iterator(documents, trainer)
        found = self._tokenizer.get_vocab_size()
        if found != num_tokens:
            raise SpecflowError(
                f"tokenizer.num_tokens: got {num_tokens}; expected at most the {found} that the "
                "training text gives"
            )
        self.separator = 0
        # Text that happens to read like the separator is text.
        self._tokenizer.encode_special_tokens = True
        self.definition = self._tokenizer.to_str()
        self.contents = [self._content(token) for token in range(num_tokens)]

    def encode(self, documents: Sequence[str]) -> list[np.ndarray]:
        """Return the tokens of each document, int32."""
        encoded = self._tokenizer.encode_batch_fast(documents, add_special_tokens=False)
        return [np.array(document.ids, np.int32) for document in encoded]

    def _content(self, token: int) -> bytes:
        if token == self.separator:
            return b""
        characters = self._tokenizer.id_to_token(token)
        assert characters is not None
        return bytes(_BYTE_OF[character] for character in characters)


def build_tokenizer(
    params: TokenizerParams, documents: Iterable[str]
) -> tuple[Tokenizer, np.ndarray]:
    """Return the tokenizer of a training part, and the byte-unigram model of the same text.

    Args:
        params: Kind and size of the vocabulary.
        documents: The training documents, read once.

    Returns:
        The tokenizer, and the bits that the unigram model needs for each of the 256 bytes:
        -log2 of its share of the training text, where every byte counts once more than it occurs.

    Raises:
        SpecflowError: If the documents give fewer tokens than the vocabulary shall have.
    """
    counts = np.ones(256, np.int64)
    counted = _count(documents, counts)
    tokenizer: Tokenizer
    match params:
        case ByteParams():
            tokenizer = ByteTokenizer()
            for _ in counted:
                pass
        case BytePairParams():
            tokenizer = BytePairTokenizer(params.num_tokens, counted)
    return tokenizer, -np.log2(counts / counts.sum())


def _count(documents: Iterable[str], counts: np.ndarray) -> Iterator[str]:
    """Yield the documents, adding the number of times that each byte occurs."""
    for text in documents:
        counts += np.bincount(np.frombuffer(text.encode(), np.uint8), minlength=256)
        yield text


def _byte_alphabet() -> dict[str, int]:
    """Return the byte for each of the characters that byte-level vocabularies are written in.

    Printable characters of Latin-1 are their own byte; the other bytes, in order, are the
    characters from U+0100 (Radford et al. 2019, the published encoder).
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = sorted(set(range(256)) - set(printable))
    return {chr(byte): byte for byte in printable} | {
        chr(256 + index): byte for index, byte in enumerate(others)
    }


_BYTE_OF = _byte_alphabet()
