import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from pydantic import TypeAdapter
from tests.datasets.builders import CIFAR10, DIGITS, MNIST, made, valid

from specflow.datasets.dataset import Dataset
from specflow.datasets.images import write_images
from specflow.datasets.storage import Data, write_dataset

PERMUTED = DIGITS | {"permuted_labels": True}


@pytest.fixture(scope="module")
def true(tmp_path_factory: pytest.TempPathFactory) -> Data:
    return made(DIGITS, tmp_path_factory.mktemp("true"))


@pytest.fixture(scope="module")
def permuted(tmp_path_factory: pytest.TempPathFactory) -> Data:
    return made(PERMUTED, tmp_path_factory.mktemp("permuted"))


def test_permuted_labels_are_the_true_ones_in_another_order(true: Data, permuted: Data) -> None:
    assert permuted.train["targets"].bincount().equal(true.train["targets"].bincount())
    # of ten equal classes a tenth stays in place by chance, 0.1 +- 0.005
    agree = (permuted.train["targets"] == true.train["targets"]).double().mean()
    assert 0.08 < agree < 0.12


def test_permuted_labels_change_nothing_else(true: Data, permuted: Data) -> None:
    assert permuted.train["inputs"].equal(true.train["inputs"])
    assert permuted.validation["inputs"].equal(true.validation["inputs"])
    assert permuted.validation["targets"].equal(true.validation["targets"])


@pytest.mark.parametrize("section", [DIGITS, CIFAR10, MNIST])
def test_true_labels_are_not_mentioned_in_the_config(section: dict[str, object]) -> None:
    adapter = TypeAdapter(Dataset)
    for labels in ({}, {"permuted_labels": False}):
        assert json.loads(adapter.dump_json(adapter.validate_python(section | labels))) == section
    permuted = section | {"permuted_labels": True}
    assert adapter.validate_python(permuted).model_dump(mode="json") == permuted
    assert adapter.validate_json(json.dumps(permuted)).permuted_labels


def test_channels_are_standardized_each_by_itself_as_naive(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    scale = np.array([50, 100, 256])[:, None, None]
    images = (generator.random((60, 3, 32, 32)) * scale).astype(np.uint8)
    params = valid(CIFAR10)
    train, validation = np.split(generator.permutation(60), [40])
    with write_dataset(tmp_path / "x.h5", params) as writer:
        write_images(params, writer, images, np.arange(60), (train, validation))
    padded = np.zeros((60, 3, 34, 34))
    padded[:, :, 1:33, 1:33] = images
    mean = padded[train].mean(axis=(0, 2, 3), keepdims=True)
    std = padded[train].std(axis=(0, 2, 3), keepdims=True)
    naive = (padded - mean) / std
    with h5py.File(tmp_path / "x.h5") as file:
        for split, indices in (("train", train), ("validation", validation)):
            inputs, targets = file[split]["inputs"][:], file[split]["targets"][:]
            np.testing.assert_allclose(inputs, naive[indices], rtol=1e-5, atol=1e-6)
            np.testing.assert_array_equal(targets, indices)


def test_pieces_give_the_same_as_the_whole(
    true: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("specflow.datasets.images._PIECE", 700)
    assert made(DIGITS, tmp_path).fingerprint == true.fingerprint


def test_split_has_every_index_once_in_random_order() -> None:
    first, other = (valid(MNIST | {"seed": seed}).split(np.zeros(100)) for seed in (0, 1))
    train, validation = first
    assert (len(train), len(validation)) == (40, 60)
    assert sorted([*train, *validation]) == list(range(100))
    assert list(train) != sorted(train)
    assert not np.array_equal(train, other[0])


@pytest.mark.parametrize(
    ("kind", "total", "sizes"),
    [("digits", 5000, (4500, 500)), ("mnist", 60_000, (54_000, 6_000)),
     ("fashion_mnist", 60_000, (54_000, 6_000)),
     ("cifar10", 50_000, (45_000, 5_000))],
)  # fmt: skip
def test_sizes_are_known_without_any_file(kind: str, total: int, sizes: tuple[int, int]) -> None:
    params = valid(DIGITS | {"kind": kind, "validation_fraction": 0.1})
    assert (params.num_train, params.num_validation) == sizes
    assert params.num_images == total
    assert params.shape.channels == (3 if kind == "cifar10" else 1)


@pytest.mark.parametrize(
    ("section", "key", "value", "expected"),
    [
        (CIFAR10, "image_size", 31, "greater than or equal to 32"),
        (DIGITS, "image_size", 27, "greater than or equal to 28"),
        (DIGITS, "validation_fraction", 0.001, "greater than or equal to 0.002"),
        (CIFAR10, "validation_fraction", 0.0, "greater than or equal to 0.0001"),
        (MNIST, "validation_fraction", 1.0, "less than or equal to 0.9999"),
        (DIGITS, "permuted_labels", 1, "valid boolean"),
    ],
)
def test_values_out_of_range_are_refused(section: dict, key: str, value, expected: str) -> None:
    with pytest.raises(ValueError, match=rf"{key}\n.*{expected}"):
        valid(section | {key: value})
