import gzip
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from specflow.datasets import Dataset, digits, load, prepare
from specflow.errors import SpecflowError
from specflow.params.datasets import DigitsParams


def params(image_size: int = 32, validation_fraction: float = 0.2, seed: int = 0) -> DigitsParams:
    return DigitsParams(
        kind="digits", image_size=image_size, validation_fraction=validation_fraction, seed=seed
    )


def made(config: DigitsParams, folder: Path) -> Dataset:
    prepare(config, folder / "digits.h5")
    return load(folder / "digits.h5")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return made(params(), tmp_path_factory.mktemp("digits"))


@pytest.fixture(scope="module")
def lines() -> list[list[int]]:
    """The file, read naively: 784 pixels and a class a line."""
    text = gzip.decompress(digits.source_file().read_bytes()).decode()
    return [[int(cell) for cell in line.split(",")] for line in text.splitlines()]


def pixels(inputs: torch.Tensor, lines: list[list[int]]) -> np.ndarray:
    """Undo the standardization, knowing that grey levels are 0 to 255."""
    low, high = inputs.min().item(), inputs.max().item()
    assert max(max(line[:-1]) for line in lines) == 255
    return np.rint((inputs.numpy() - low) / (high - low) * 255).astype(int)


@pytest.mark.parametrize("image_size", [28, 31, 32])
@pytest.mark.parametrize("fraction", [0.002, 0.1, 0.35])
def test_sizes_and_shape_are_those_of_the_params(
    tmp_path: Path, image_size: int, fraction: float
) -> None:
    config = params(image_size, fraction)
    dataset = made(config, tmp_path)
    shape = (config.shape.channels, config.shape.size, config.shape.size)
    assert dataset.train["inputs"].shape == (config.num_train, *shape)
    assert dataset.validation["inputs"].shape == (config.num_validation, *shape)
    assert dataset.train["inputs"].dtype == torch.float32
    assert dataset.train["targets"].dtype == torch.int64


def test_every_image_occurs_once_with_its_class(dataset: Dataset, lines: list[list[int]]) -> None:
    inputs = torch.cat([dataset.train["inputs"], dataset.validation["inputs"]])
    targets = torch.cat([dataset.train["targets"], dataset.validation["targets"]])
    images = pixels(inputs, lines)[:, 0, 2:30, 2:30].reshape(5000, 784)
    found = [[*image, target] for image, target in zip(images, targets.tolist(), strict=True)]
    assert sorted(found) == sorted(lines)


def test_training_pixels_have_mean_0_and_deviation_1(dataset: Dataset) -> None:
    train, validation = dataset.train["inputs"].double(), dataset.validation["inputs"].double()
    assert train.mean().abs() < 1e-6
    assert (train.std(correction=0) - 1).abs() < 1e-6
    assert validation.mean().abs() > 1e-4  # the validation images have no part in it


def test_standardization_matches_naive(dataset: Dataset, lines: list[list[int]]) -> None:
    scaled = pixels(dataset.train["inputs"], lines) / 255
    naive = (scaled - scaled.mean()) / scaled.std()
    np.testing.assert_allclose(dataset.train["inputs"].numpy(), naive, rtol=1e-5)


@pytest.mark.parametrize(("size", "before"), [(32, 2), (31, 1)])
def test_padding_is_black(tmp_path: Path, size: int, before: int) -> None:
    inputs = made(params(size), tmp_path).train["inputs"]
    outside = torch.ones(size, size, dtype=torch.bool)
    outside[before : before + 28, before : before + 28] = False
    assert inputs[..., outside].unique().tolist() == [inputs.min().item()]


def test_classes_have_equal_shares(dataset: Dataset) -> None:
    assert dataset.train["targets"].bincount().tolist() == [400] * 10
    assert dataset.validation["targets"].bincount().tolist() == [100] * 10


def test_order_is_random(dataset: Dataset) -> None:
    # The first rows stand for the whole where an evaluation is limited to some of them.
    for part in (dataset.train, dataset.validation):
        counts = Counter(part["targets"][:200].tolist())
        assert len(counts) == 10
        assert max(counts.values()) < 40


def test_split_depends_on_the_seed_alone(dataset: Dataset, tmp_path: Path) -> None:
    assert made(params(), tmp_path).fingerprint == dataset.fingerprint
    assert made(params(seed=1), tmp_path).fingerprint != dataset.fingerprint


def test_wrong_checksum_is_refused_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = bytearray(digits.source_file().read_bytes())
    packed[1000] ^= 1
    broken = tmp_path / "broken.csv.gz"
    broken.write_bytes(packed)
    monkeypatch.setattr(digits, "source_file", lambda: broken)
    message = r"broken\.csv\.gz: SHA-256 is [0-9a-f]{64}; expected 846f6cad.*pip install"
    with pytest.raises(SpecflowError, match=message):
        prepare(params(), tmp_path / "out" / "digits.h5")
    assert list((tmp_path / "out").iterdir()) == []


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecflowError, match=r"absent\.csv\.gz: no such file.*pip install"):
        digits.read_images(tmp_path / "absent.csv.gz")
