from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from specflow.datasets import text
from specflow.datasets.modular_addition import ModularAdditionParams
from specflow.datasets.storage import SPLITS, load, write_dataset
from specflow.datasets.text import packed, write_windows
from specflow.datasets.tokenizers import BytePairParams, ByteParams

TEXTS = ["one two three. ", "é" * 7, "", "x", "the last of all documents, which is longer"] * 3
BYTES = ByteParams(kind="bytes").train([])
BITS = np.random.Generator(np.random.PCG64(0)).uniform(1, 9, 256)
# Kept beside the arrays; any section will do.
CONFIG = ModularAdditionParams(kind="modular_addition", modulus=2, train_fraction=0.5, seed=0)


def naive_windows(texts: list[str], length: int) -> list[list[int]]:
    stream = [token for text in texts for token in [256, *text.encode()]]
    starts = range(0, len(stream) - length, length)
    return [stream[start : start + length + 1] for start in starts]


@pytest.mark.parametrize("length", [1, 2, 5, 64])
@pytest.mark.parametrize("piece", [1, 30, 10**6])
def test_packing_matches_naive(length: int, piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "_PIECE_CHARACTERS", piece)
    found = np.concatenate(list(packed(TEXTS, BYTES, length)))
    assert found.tolist() == naive_windows(TEXTS, length)


def test_every_token_is_predicted_once_up_to_the_rest() -> None:
    found = np.concatenate(list(packed(TEXTS, BYTES, 5)))
    stream = [token for text in TEXTS for token in [256, *text.encode()]]
    assert found[:, 1:].ravel().tolist() == stream[1 : 1 + found[:, 1:].size]
    assert 0 <= len(stream) - 1 - found[:, 1:].size < 5


def test_text_shorter_than_a_window_gives_none() -> None:
    assert list(packed(["abc"], BYTES, 5)) == []
    assert [piece.tolist() for piece in packed(["abc"], BYTES, 3)] == [[[256, 97, 98, 99]]]


def test_bytes_and_unigram_bits_of_windows_match_naive(tmp_path: Path) -> None:
    tokenizer = BytePairParams(kind="byte_pairs", num_tokens=262).train(TEXTS)
    with write_dataset(tmp_path / "x.h5", CONFIG) as writer:
        windows = packed(TEXTS, tokenizer, 4)
        baseline = write_windows(writer, "train", windows, 9, tokenizer, BITS)
        writer.append("validation", "tokens", np.zeros((1, 5), np.int32))
    part = load(tmp_path / "x.h5").train
    contents = [
        b"".join(tokenizer.contents[token] for token in row[1:]) for row in part["tokens"].tolist()
    ]
    assert part["num_bytes"].tolist() == [len(content) for content in contents]
    naive = [sum(BITS[value] for value in content) for content in contents]
    np.testing.assert_allclose(part["unigram_bits"].numpy(), naive, rtol=1e-12)
    assert baseline == pytest.approx(sum(naive) / len(b"".join(contents)), rel=1e-12)
    assert len(set(part["num_bytes"].tolist())) > 1  # or else any mean would do


def test_windows_are_read_as_far_as_needed(tmp_path: Path) -> None:
    read = []

    def pieces() -> Iterator[np.ndarray]:
        for index in range(100):
            read.append(index)
            yield np.full((3, 6), index, np.int32)

    with write_dataset(tmp_path / "x.h5", CONFIG) as writer:
        for split in SPLITS:
            write_windows(writer, split, pieces(), 4, BYTES, BITS)
    assert read == [0, 1, 0, 1]
    assert load(tmp_path / "x.h5").train["tokens"][:, 0].tolist() == [0, 0, 0, 1]
