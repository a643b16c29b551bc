from pathlib import Path

import pytest
import torch

from specflow.datasets.modular_addition import ModularAdditionParams
from specflow.datasets.storage import Data, load


def params(modulus: int = 13, train_fraction: float = 0.3, seed: int = 0) -> ModularAdditionParams:
    return ModularAdditionParams(
        kind="modular_addition", modulus=modulus, train_fraction=train_fraction, seed=seed
    )


def made(config: ModularAdditionParams, folder: Path) -> Data:
    config.prepare(folder / "addition.h5")
    return load(folder / "addition.h5")


def tokens(dataset: Data) -> list[tuple[int, ...]]:
    inputs = torch.cat([dataset.train["inputs"], dataset.validation["inputs"]])
    return [tuple(row) for row in inputs.tolist()]


def test_every_pair_occurs_once(tmp_path: Path) -> None:
    found = tokens(made(params(), tmp_path))
    assert sorted(found) == [(a, b, 13) for a in range(13) for b in range(13)]


def test_targets_are_sums(tmp_path: Path) -> None:
    dataset = made(params(), tmp_path)
    for part in (dataset.train, dataset.validation):
        naive = [(a + b) % 13 for a, b, _ in part["inputs"].tolist()]
        assert part["targets"].tolist() == naive
        assert part["inputs"].dtype == part["targets"].dtype == torch.int64


@pytest.mark.parametrize(("modulus", "fraction"), [(2, 0.3), (13, 0.9), (97, 0.5), (113, 0.3)])
def test_sizes_and_shape_are_those_of_the_params(
    tmp_path: Path, modulus: int, fraction: float
) -> None:
    config = params(modulus, fraction)
    dataset = made(config, tmp_path)
    assert dataset.train["inputs"].shape == (config.num_train, config.shape.length)
    assert dataset.validation["inputs"].shape == (config.num_validation, config.shape.length)
    assert dataset.train["inputs"].max() == config.shape.num_tokens - 1


def test_split_depends_on_the_seed_alone(tmp_path: Path) -> None:
    first, again = made(params(), tmp_path), made(params(), tmp_path)
    other = made(params(seed=1), tmp_path)
    assert first.fingerprint == again.fingerprint
    assert set(tokens(first)[: params().num_train]) != set(tokens(other)[: params().num_train])
