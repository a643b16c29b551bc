"""Reference text: the prose of the Python language reference in the standard library.

It is what `help()` shows of the language's topics (pydoc_data.topics), about half a megabyte of
English. It differs between Python versions.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Literal

import numpy as np

from specflow.datasets.storage import DatasetWriter, Split
from specflow.datasets.text import Documents, TextParams, write_text
from specflow.section import Fraction, Seed

# Topics that repeat a shorter paragraph ("Changed in version 3.8: ...") may still be two documents.
_SHARED_CHARACTERS = 40


class ReferenceTextParams(TextParams):
    """Prose of the Python language reference, from the standard library, split by document.

    Attributes:
        validation_fraction: Share of the bytes that validation documents have at most.
        seed: Seed of the split and of the order of windows.
    """

    kind: Literal["reference_text"]
    validation_fraction: Fraction
    seed: Seed

    def write(self, writer: DatasetWriter) -> None:
        """Write windows as `write_text` says, split by document; both parts in random order."""
        topics = read_topics()
        source = hashlib.sha256(json.dumps(topics, sort_keys=True).encode()).hexdigest()
        generator = np.random.Generator(np.random.PCG64(self.seed))
        train, validation = split_documents(documents(topics), self.validation_fraction, generator)
        parts: dict[Split, Documents] = {"train": lambda: train, "validation": lambda: validation}
        write_text(self, writer, parts, text_sha256=source, shuffle=generator)


def read_topics() -> dict[str, str]:
    """Return the text of every topic of this Python version, by name."""
    from pydoc_data import topics

    return dict(topics.topics)


def documents(topics: Mapping[str, str]) -> list[str]:
    """Return the documents that topics make: topics which share a paragraph are one document.

    Some topics are sections of others, so that a split by topic would let most of them be read
    in training. In a document of several topics, the longest first, shared paragraphs occur once.

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
            for words, paragraph in other.items():
                merged.setdefault(words, paragraph)
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
