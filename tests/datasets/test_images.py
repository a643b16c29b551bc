import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from pydantic import TypeAdapter

from specflow.datasets.cifar10 import Cifar10Params
from specflow.datasets.dataset import Dataset
from specflow.datasets.digits import DigitsParams
from specflow.datasets.images import random_split, write_images
from specflow.datasets.storage import Data, load, write_dataset

DIGITS = {"kind": "digits", "image_size": 28, "validation_fraction": 0.2, "seed": 0}
CIFAR10 = {"kind": "cifar10", "image_size": 34, "validation_fraction": 0.1, "seed": 0}


def made(folder: Path, **changes) -> Data:
    DigitsParams.model_validate(DIGITS | changes).prepare(folder / "digits.h5")
    return load(folder / "digits.h5")


@pytest.fixture(scope="module")
def true(tmp_path_factory: pytest.TempPathFactory) -> Data:
    return made(tmp_path_factory.mktemp("true"))


@pytest.fixture(scope="module")
def permuted(tmp_path_factory: pytest.TempPathFactory) -> Data:
    return made(tmp_path_factory.mktemp("permuted"), permuted_labels=True)


def test_permuted_labels_are_the_true_ones_in_another_order(true: Data, permuted: Data) -> None:
    assert permuted.train["targets"].bincount().equal(true.train["targets"].bincount())
    # of ten equal classes a tenth stays in place by chance, 0.1 +- 0.005
    agree = (permuted.train["targets"] == true.train["targets"]).double().mean()
    assert 0.08 < agree < 0.12


def test_permuted_labels_change_nothing_else(true: Data, permuted: Data) -> None:
    assert permuted.train["inputs"].equal(true.train["inputs"])
    assert permuted.validation["inputs"].equal(true.validation["inputs"])
    assert permuted.validation["targets"].equal(true.validation["targets"])


def test_permutation_depends_on_the_seed_alone(permuted: Data, tmp_path: Path) -> None:
    assert made(tmp_path, permuted_labels=True).fingerprint == permuted.fingerprint
    other = made(tmp_path, permuted_labels=True, seed=1)
    assert not other.train["targets"].equal(permuted.train["targets"])


@pytest.mark.parametrize("section", [DIGITS, CIFAR10, DIGITS | {"kind": "mnist"}])
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
    params = Cifar10Params.model_validate(CIFAR10)
    train, validation = random_split(60, 20, seed=3)
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


def test_pieces_give_the_same_as_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = made(tmp_path)
    monkeypatch.setattr("specflow.datasets.images._PIECE", 700)
    assert made(tmp_path).fingerprint == whole.fingerprint


def test_random_split_has_every_index_once() -> None:
    train, validation = random_split(100, 30, seed=0)
    assert (len(train), len(validation)) == (70, 30)
    assert sorted([*train, *validation]) == list(range(100))
    assert list(train) != sorted(train)
    assert not np.array_equal(train, random_split(100, 30, seed=1)[0])


@pytest.mark.parametrize(
    ("kind", "total", "sizes"),
    [("digits", 5000, (4500, 500)), ("mnist", 60_000, (54_000, 6_000)),
     ("cifar10", 50_000, (45_000, 5_000))],
)  # fmt: skip
def test_sizes_are_known_without_any_file(kind: str, total: int, sizes: tuple[int, int]) -> None:
    section = {"kind": kind, "image_size": 32, "validation_fraction": 0.1, "seed": 0}
    params = TypeAdapter(Dataset).validate_python(section)
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
        (DIGITS | {"kind": "mnist"}, "validation_fraction", 1.0, "less than or equal to 0.9999"),
        (DIGITS, "permuted_labels", 1, "valid boolean"),
    ],
)
def test_values_out_of_range_are_refused(section: dict, key: str, value, expected: str) -> None:
    with pytest.raises(ValueError, match=rf"{key}\n.*{expected}"):
        TypeAdapter(Dataset).validate_python(section | {key: value})
