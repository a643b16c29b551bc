import hashlib
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from tests.datasets.builders import TEXT, made

from specflow.datasets import reference_text
from specflow.datasets.reference_text import documents, read_topics, split_documents
from specflow.datasets.storage import Data
from specflow.errors import SpecflowError

PAIRS = {"kind": "byte_pairs", "num_tokens": 270}


def invented(name: str, size: int = 900) -> str:
    """Return seeded words, of a document's own letters, of `size` characters."""
    generator = np.random.Generator(np.random.PCG64(ord(name)))
    words = [name * int(generator.integers(1, 4)) for _ in range(size)]
    return " ".join(words)[:size]


@pytest.fixture
def topics(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Ten documents, each of a letter of its own, in place of the standard library's."""
    invention = {name: invented(name) for name in "abcdefghij"}
    monkeypatch.setattr(reference_text, "read_topics", lambda: invention)
    return invention


def letters(dataset: Data, part: str) -> set[str]:
    tokens = getattr(dataset, part)["tokens"].unique().tolist()
    return {chr(token) for token in tokens} & set("abcdefghij")


def parts_of(topics: dict[str, str]) -> tuple[list[str], list[str]]:
    generator = np.random.Generator(np.random.PCG64(0))
    return split_documents(documents(topics), 0.35, generator)


@pytest.mark.parametrize("seed", range(3))
def test_no_document_is_in_both_parts(tmp_path: Path, topics: dict[str, str], seed: int) -> None:
    # Every window there is, so that nothing of a document can hide.
    every = {"num_train_sequences": 197, "num_validation_sequences": 84}
    dataset = made(TEXT | every | {"seed": seed}, tmp_path)
    train, validation = letters(dataset, "train"), letters(dataset, "validation")
    assert (len(train), len(validation)) == (7, 3)
    assert train | validation == set(topics)


def test_windows_are_passages_of_their_documents(tmp_path: Path, topics: dict[str, str]) -> None:
    dataset = made(TEXT, tmp_path)
    for part, texts in zip(("train", "validation"), parts_of(topics), strict=True):
        stream = [token for text in texts for token in [256, *text.encode()]]
        passages = {tuple(stream[i : i + 33]) for i in range(0, len(stream), 32)}
        rows = [tuple(row) for row in getattr(dataset, part)["tokens"].tolist()]
        assert set(rows) <= passages


def test_order_is_random(tmp_path: Path, topics: dict[str, str]) -> None:
    # The first rows stand for the whole where an evaluation is limited to some of them.
    firsts = made(TEXT | {"num_train_sequences": 197}, tmp_path).train["tokens"][:, 5].tolist()
    changes = sum(a != b for a, b in pairwise(firsts))
    assert changes > 90  # 7 if documents stood in order


@pytest.mark.parametrize(("part", "same"), [(1, True), (0, False)])
def test_tokenizer_and_unigram_model_are_of_the_training_part_alone(
    tmp_path: Path, topics: dict[str, str], part: int, same: bool
) -> None:
    before = made(TEXT | {"tokenizer": PAIRS}, tmp_path)
    texts = parts_of(topics)
    changed = {name for name, text in topics.items() if f"{text}\n" in texts[part]}
    for name in changed:  # of the same sizes, so that the split stays
        topics[name] = topics[name][:450] + "qz" * 225
    few = {"num_train_sequences": 10, "num_validation_sequences": 3}
    after = made(TEXT | few | {"tokenizer": PAIRS}, tmp_path)
    assert (before.metadata["tokenizer"] == after.metadata["tokenizer"]) is same
    assert before.metadata["text_sha256"] != after.metadata["text_sha256"]


def test_metadata_tell_source_and_baseline(tmp_path: Path, topics: dict[str, str]) -> None:
    dataset = made(TEXT, tmp_path)
    expected = hashlib.sha256(json.dumps(dict(sorted(topics.items()))).encode()).hexdigest()
    assert dataset.metadata["text_sha256"] == expected
    train = "".join(parts_of(topics)[0]).encode()
    tokens = dataset.validation["tokens"][:, 1:].flatten().tolist()
    values = [token for token in tokens if token != 256]
    bits = [-np.log2((train.count(value) + 1) / (len(train) + 256)) for value in values]
    assert dataset.metadata["unigram_bits_per_byte"] == pytest.approx(sum(bits) / len(bits))


@pytest.mark.parametrize(("split", "available"), [("train", 197), ("validation", 84)])
def test_too_few_windows_are_counted(
    tmp_path: Path, topics: dict[str, str], split: str, available: int
) -> None:
    made(TEXT | {f"num_{split}_sequences": available}, tmp_path)
    message = f"num_{split}_sequences: got {available + 1}; expected at most the {available} "
    with pytest.raises(SpecflowError, match=message):
        made(TEXT | {f"num_{split}_sequences": available + 1}, tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []


def test_validation_without_documents_is_refused(tmp_path: Path, topics: dict[str, str]) -> None:
    with pytest.raises(SpecflowError, match=r"num_validation_sequences: got 20; .*at most the 0 "):
        made(TEXT | {"validation_fraction": 0.01}, tmp_path)


def test_topics_that_share_a_paragraph_are_one_document() -> None:
    shared, other = "A paragraph of more than forty characters, wrapped", "Short."
    topics = {
        "whole": f"Whole\n*****\n\n{shared}\nhere.\n\n{other}\n\nMore of it, which the whole has.",
        "section": f"   {shared} here.\n\n{other}",
        "unrelated": f"Unrelated\n\n{other}",
    }
    assert documents(topics) == [
        f"{topics['whole']}\n\n{other}\n",  # short paragraphs may repeat
        f"{topics['unrelated']}\n",
    ]


def test_no_passage_of_the_real_text_is_in_two_documents() -> None:
    def passages(text: str) -> set[str]:
        found = {" ".join(paragraph.split()) for paragraph in text.split("\n\n")}
        return {passage for passage in found if len(passage) >= 40}

    def shared(texts: list[str]) -> int:
        every = [passages(text) for text in texts]
        return sum(map(len, every)) - len(set().union(*every))

    topics = read_topics()
    assert shared(documents(topics)) == 0
    assert shared(list(topics.values())) > 100  # what a split by topic would leak
    kept = set().union(*(passages(text) for text in documents(topics)))
    assert kept == set().union(*(passages(text) for text in topics.values()))
