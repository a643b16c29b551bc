"""Reference text: the prose of the Python language reference in the standard library.

It is what `help()` shows of the language's topics (pydoc_data.topics), about half a megabyte of
English. It differs between Python versions.
"""

import hashlib
import json
from collections.abc import Mapping

import numpy as np

from specflow.datasets.storage import DatasetWriter
from specflow.datasets.tokenizers import build_tokenizer
from specflow.datasets.windows import WindowWriter, packed
from specflow.params.datasets import ReferenceTextParams

# Topics that repeat a shorter paragraph ("Changed in version 3.8: ...") may still be two documents.
_SHARED_CHARACTERS = 40


def write(params: ReferenceTextParams, writer: DatasetWriter) -> None:
    """Write windows of the text, split by document, the tokenizer trained on the training part.

    The arrays are those of `WindowWriter.write`; the windows of both parts are in random order.
    Metadata: `text_sha256` of the source, `tokenizer` (JSON), `unigram_bits_per_byte` of the
    validation windows.

    Args:
        params: Tokens, length, numbers of windows, and how documents are split.
        writer: Takes the arrays.

    Raises:
        SpecflowError: If there are fewer windows or tokens than the params want; the message
            says how many there are.
    """
    topics = read_topics()
    generator = np.random.Generator(np.random.PCG64(params.seed))
    train, validation = split_documents(documents(topics), params.validation_fraction, generator)
    tokenizer, unigram_bits = build_tokenizer(params.tokenizer, train)
    windows = WindowWriter(writer, tokenizer, unigram_bits)

    def shuffled(texts: list[str]) -> list[np.ndarray]:
        pieces = list(packed(texts, tokenizer, params.length))
        return [generator.permutation(np.concatenate(pieces))] if pieces else []

    windows.write("train", shuffled(train), params.num_train_sequences)
    baseline = windows.write("validation", shuffled(validation), params.num_validation_sequences)
    writer.describe(
        {
            "text_sha256": text_hash(topics),
            "tokenizer": tokenizer.definition,
            "unigram_bits_per_byte": baseline,
        }
    )


def read_topics() -> dict[str, str]:
    """Return the text of every topic of this Python version, by name."""
    from pydoc_data import topics

    return dict(topics.topics)


def text_hash(topics: Mapping[str, str]) -> str:
    """Return the SHA-256 of names and texts of all topics, hexadecimal."""
    return hashlib.sha256(json.dumps(topics, sort_keys=True).encode()).hexdigest()


def documents(topics: Mapping[str, str]) -> list[str]:
    """Return the documents that topics make: topics which share a paragraph are one document.

    Some topics are sections of others, so that a split by topic would let most of them be read
    in training. In a document of several topics, the longest first, shared paragraphs occur once.

    Args:
        topics: Text of every topic, by name.

    Returns:
        Documents of which no two share a paragraph of 40 characters or more, in an order that
        depends on the contents alone.
    """
    families: list[dict[str, str]] = []
    for name in sorted(topics, key=lambda name: (-len(topics[name]), name)):
        family = _paragraphs(topics[name])
        related = [other for other in families if _shared(other, family)]
        merged: dict[str, str] = {}
        for other in [*related, family]:
            merged |= {key: text for key, text in other.items() if key not in merged}
        families = [other for other in families if other not in related] + [merged]
    return ["\n\n".join(family.values()) + "\n" for family in families]


def split_documents(
    texts: list[str], validation_fraction: float, generator: np.random.Generator
) -> tuple[list[str], list[str]]:
    """Split documents into a training and a validation part, both in random order.

    Args:
        texts: The documents.
        validation_fraction: Share of all bytes that validation documents have at most; each
            document, in random order, that still fits is one of them.
        generator: Draws the order.

    Returns:
        The documents of the training and of the validation part.
    """
    room = validation_fraction * sum(len(text.encode()) for text in texts)
    train, validation = [], []
    for index in generator.permutation(len(texts)):
        size = len(texts[index].encode())
        if size <= room:
            room -= size
            validation.append(texts[index])
        else:
            train.append(texts[index])
    return train, validation


def _paragraphs(text: str) -> dict[str, str]:
    """Return paragraphs by their words; short ones may repeat and are told apart by a number."""
    found: dict[str, str] = {}
    for index, paragraph in enumerate(text.strip("\n").split("\n\n")):
        words = " ".join(paragraph.split())
        key = words if len(words) >= _SHARED_CHARACTERS else f"{index} {words}"
        found.setdefault(key, paragraph)
    return found


def _shared(first: Mapping[str, str], second: Mapping[str, str]) -> bool:
    return any(len(key) >= _SHARED_CHARACTERS for key in first.keys() & second.keys())
