"""Tokens of text: bytes, or byte-pair tokens trained on the training part alone.

Every token stands for a known number of bytes, so that losses of different tokens compare as bits
per byte. One further token, the separator, stands between documents and for no bytes.
"""

import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from specflow.errors import SpecflowError
from specflow.section import Section

_SEPARATOR = "<|separator|>"


@dataclass(frozen=True)
class Tokenizer:
    """What turns documents into tokens.

    Attributes:
        contents: The bytes that each token stands for, by token; none for the separator.
        separator: The token that stands between documents.
        definition: JSON from which the same tokenizer can be made again.
        encode: Returns the tokens of each document, int32, without separators.
    """

    contents: list[bytes]
    separator: int
    definition: str
    encode: Callable[[Sequence[str]], list[np.ndarray]]


class ByteParams(Section):
    """Tokens are bytes."""

    kind: Literal["bytes"]

    @property
    def num_tokens(self) -> int:
        """Size of the vocabulary: all bytes, and the separator of documents."""
        return 257

    def train(self, documents: Iterable[str]) -> Tokenizer:
        """Return the tokenizer: bytes of UTF-8, token 256 the separator; nothing is learned."""
        definition = json.dumps({"kind": "bytes", "separator": 256})
        return Tokenizer([*(bytes([value]) for value in range(256)), b""], 256, definition, _bytes)


def _bytes(documents: Sequence[str]) -> list[np.ndarray]:
    return [np.frombuffer(text.encode(), np.uint8).astype(np.int32) for text in documents]


class BytePairParams(Section):
    """Byte-level byte-pair tokens (Sennrich et al. 2016; Radford et al. 2019), trained on text.

    Attributes:
        num_tokens: Size of the vocabulary: 256 bytes, the separator, and what is merged.
    """

    kind: Literal["byte_pairs"]
    num_tokens: Annotated[int, Field(ge=257)]

    def train(self, documents: Iterable[str]) -> Tokenizer:
        """Learn the merges, which never cross the borders of words, digits and punctuation.

        Args:
            documents: What to learn from, read once.

        Returns:
            The tokenizer; its separator is token 0.

        Raises:
            SpecflowError: If the documents have fewer pairs to merge.
        """
        # Stated, so that the package has no warning to print when this process starts another.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
        import tokenizers

        alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
        learned = tokenizers.Tokenizer(tokenizers.models.BPE())
        learned.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
        trainer = tokenizers.trainers.BpeTrainer(
            vocab_size=self.num_tokens,
            min_frequency=2,
            special_tokens=[_SEPARATOR],
            initial_alphabet=alphabet,
            show_progress=False,
        )
        learned.train_from_iterator(documents, trainer)
        found = learned.get_vocab_size()
        if found != self.num_tokens:
            raise SpecflowError(
                f"tokenizer.num_tokens: got {self.num_tokens}; expected at most the {found} that "
                "the training text gives"
            )
        # Text that happens to read like the separator is text.
        learned.encode_special_tokens = True

        def encode(texts: Sequence[str]) -> list[np.ndarray]:
            encoded = learned.encode_batch_fast(texts, add_special_tokens=False)
            return [np.array(document.ids, np.int32) for document in encoded]

        byte_of = _bytes_by_character(alphabet)
        names = {token: name for name, token in learned.get_vocab().items()}
        merged = [bytes(byte_of[character] for character in names[t]) for t in range(1, found)]
        return Tokenizer([b"", *merged], 0, learned.to_str(), encode)


TokenizerParams = Annotated[ByteParams | BytePairParams, Field(discriminator="kind")]


def unigram_bits(documents: Iterable[str]) -> np.ndarray:
    """Return the byte-unigram model of documents, read once: the bits that it needs for each byte.

    These are -log2 of the byte's share of the text, where every byte counts once more than it
    occurs; shape (256,).
    """
    counts = np.ones(256, np.int64)
    for text in documents:
        counts += np.bincount(np.frombuffer(text.encode(), np.uint8), minlength=256)
    return -np.log2(counts / counts.sum())


def _bytes_by_character(alphabet: Iterable[str]) -> dict[str, int]:
    """Return the byte for each of the characters that byte-level vocabularies are written in.

    Those of Latin-1 are their own byte; the others, from U+0100, are the remaining bytes in order
    (Radford et al. 2019, the published encoder).
    """
    codes = sorted(map(ord, alphabet))
    remaining = [byte for byte in range(256) if byte not in codes]
    return {chr(code): code if code < 256 else remaining[code - 256] for code in codes}
