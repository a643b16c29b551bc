from pathlib import Path

import pytest
import torch
from tests.datasets.builders import ADDITION, made, valid

from specflow.datasets.storage import Data


def pairs(dataset: Data) -> list[list[int]]:
    return [*dataset.train["inputs"].tolist(), *dataset.validation["inputs"].tolist()]


def test_every_pair_occurs_once(tmp_path: Path) -> None:
    found = pairs(made(ADDITION, tmp_path))
    assert sorted(found) == [[a, b, 13] for a in range(13) for b in range(13)]


def test_targets_are_sums(tmp_path: Path) -> None:
    dataset = made(ADDITION, tmp_path)
    for part in (dataset.train, dataset.validation):
        naive = [(a + b) % 13 for a, b, _ in part["inputs"].tolist()]
        assert part["targets"].tolist() == naive
        assert part["inputs"].dtype == part["targets"].dtype == torch.int64


@pytest.mark.parametrize(("modulus", "fraction"), [(2, 0.3), (13, 0.9), (97, 0.5), (113, 0.3)])
def test_sizes_and_shape_are_those_of_the_params(
    tmp_path: Path, modulus: int, fraction: float
) -> None:
    section = ADDITION | {"modulus": modulus, "train_fraction": fraction}
    config, dataset = valid(section), made(section, tmp_path)
    assert dataset.train["inputs"].shape == (config.num_train, config.shape.length)
    assert dataset.validation["inputs"].shape == (config.num_validation, config.shape.length)
    assert dataset.train["inputs"].max() == config.shape.num_tokens - 1


def test_the_seed_decides_the_split_and_not_the_order_alone(tmp_path: Path) -> None:
    first, other = (made(ADDITION | {"seed": seed}, tmp_path) for seed in (0, 1))
    train = [sorted(dataset.train["inputs"].tolist()) for dataset in (first, other)]
    assert train[0] != train[1]
