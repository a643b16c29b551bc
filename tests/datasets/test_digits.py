import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from specflow.datasets import digits
from specflow.datasets.digits import DigitsParams
from specflow.datasets.storage import Data, load
from specflow.errors import SpecflowError


def params(image_size: int = 32, validation_fraction: float = 0.2, seed: int = 0) -> DigitsParams:
    return DigitsParams(
        kind="digits", image_size=image_size, validation_fraction=validation_fraction, seed=seed
    )


def made(config: DigitsParams, folder: Path) -> Data:
    config.prepare(folder / "digits.h5")
    return load(folder / "digits.h5")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Data:
    return made(params(), tmp_path_factory.mktemp("digits"))


def pixels(inputs: torch.Tensor) -> np.ndarray:
    """Undo the standardization, knowing that grey levels are 0 to 255."""
    low, high = inputs.min().item(), inputs.max().item()
    return np.rint((inputs.numpy() - low) / (high - low) * 255).astype(int)


@pytest.mark.parametrize("image_size", [28, 31, 32])
@pytest.mark.parametrize("fraction", [0.002, 0.35])
def test_sizes_and_shape_are_those_of_the_params(
    tmp_path: Path, image_size: int, fraction: float
) -> None:
    config = params(image_size, fraction)
    dataset = made(config, tmp_path)
    shape = (config.shape.channels, config.shape.size, config.shape.size)
    for part, count in (
        (dataset.train, config.num_train),
        (dataset.validation, config.num_validation),
    ):
        assert part["inputs"].shape == (count, *shape)
        assert (part["inputs"].dtype, part["targets"].dtype) == (torch.float32, torch.int64)
        assert part["targets"].bincount().tolist() == [count // 10] * 10
    outside = torch.ones(image_size, image_size, dtype=torch.bool)
    before = (image_size - 28) // 2
    outside[before : before + 28, before : before + 28] = False
    assert (dataset.train["inputs"][..., outside] == dataset.train["inputs"].min()).all()


def test_every_image_occurs_once_with_its_class(dataset: Data) -> None:
    inputs = torch.cat([dataset.train["inputs"], dataset.validation["inputs"]])
    targets = torch.cat([dataset.train["targets"], dataset.validation["targets"]])
    images = pixels(inputs)[:, 0, 2:30, 2:30].reshape(5000, 784)
    found = [",".join(map(str, row)) for row in np.column_stack([images, targets])]
    lines = gzip.decompress(digits.source_file().read_bytes()).decode().split()
    assert sorted(found) == sorted(lines)


def test_standardization_matches_naive(dataset: Data) -> None:
    scaled = pixels(dataset.train["inputs"]) / 255
    naive = (scaled - scaled.mean()) / scaled.std()
    np.testing.assert_allclose(dataset.train["inputs"].numpy(), naive, rtol=1e-5)
    assert dataset.validation["inputs"].double().mean().abs() > 1e-4  # they have no part in it


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
        params().prepare(tmp_path / "out" / "digits.h5")
    assert list((tmp_path / "out").iterdir()) == []


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecflowError, match=r"absent\.csv\.gz: no such file.*pip install"):
        digits.read_images(tmp_path / "absent.csv.gz")
