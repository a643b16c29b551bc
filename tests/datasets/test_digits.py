import gzip
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.datasets.builders import DIGITS, made, valid

from specflow.datasets import digits
from specflow.errors import SpecflowError


@pytest.mark.parametrize("image_size", [28, 31, 32])
@pytest.mark.parametrize("fraction", [0.002, 0.35])
def test_sizes_and_shape_are_those_of_the_params(
    tmp_path: Path, image_size: int, fraction: float
) -> None:
    section = DIGITS | {"image_size": image_size, "validation_fraction": fraction}
    config, dataset = valid(section), made(section, tmp_path)
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


def test_every_image_occurs_once_with_its_class(tmp_path: Path) -> None:
    dataset = made(DIGITS, tmp_path)
    inputs = torch.cat([dataset.train["inputs"], dataset.validation["inputs"]])
    targets = torch.cat([dataset.train["targets"], dataset.validation["targets"]])
    low, high = inputs.min(), inputs.max()  # levels 0 and 255
    levels = ((inputs - low) / (high - low) * 255).round().int()
    images = levels[:, 0, 2:30, 2:30].reshape(5000, 784)
    found = [",".join(map(str, row)) for row in np.column_stack([images, targets])]
    lines = gzip.decompress(digits.source_file().read_bytes()).decode().split()
    assert sorted(found) == sorted(lines)


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
        made(DIGITS, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_missing_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digits, "source_file", lambda: tmp_path / "absent.csv.gz")
    with pytest.raises(SpecflowError, match=r"absent\.csv\.gz: no such file.*pip install"):
        valid(DIGITS).read()
