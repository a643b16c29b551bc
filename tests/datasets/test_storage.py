import re
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.sealed import edited

from specflow.datasets.modular_addition import ModularAdditionParams
from specflow.datasets.storage import fingerprint, load, write_dataset
from specflow.errors import SpecflowError

CONFIG = ModularAdditionParams(kind="modular_addition", modulus=7, train_fraction=0.5, seed=3)
INPUTS = np.random.Generator(np.random.PCG64(0)).standard_normal((50, 3, 4))
TARGETS = np.arange(50)


def write(path: Path, pieces: int = 1, **changed: np.ndarray) -> Path:
    """Write a small dataset, its training inputs in several pieces; `changed` are arrays of it."""
    arrays = {"inputs": INPUTS, "targets": TARGETS} | changed
    with write_dataset(path, CONFIG) as writer:
        for piece in np.array_split(arrays["inputs"], pieces):
            writer.append("train", "inputs", piece)
        writer.append("train", "targets", arrays["targets"])
        writer.append("validation", "inputs", INPUTS[:5])
        writer.append("validation", "targets", TARGETS[:5])
    return path


def error_of(path: Path) -> str:
    with pytest.raises(SpecflowError, match=f"(?s)^{re.escape(str(path))}: ") as raised:
        load(path)
    return str(raised.value)


@pytest.mark.parametrize("pieces", [1, 7, 50, 60])
def test_loaded_is_what_was_written(tmp_path: Path, pieces: int) -> None:
    dataset = load(write(tmp_path / "x.h5", pieces))
    assert sorted(dataset.train) == sorted(dataset.validation) == ["inputs", "targets"]
    torch.testing.assert_close(dataset.train["inputs"], torch.tensor(INPUTS), rtol=0, atol=0)
    torch.testing.assert_close(dataset.train["targets"], torch.tensor(TARGETS), rtol=0, atol=0)
    torch.testing.assert_close(dataset.validation["inputs"], torch.tensor(INPUTS[:5]))
    assert dataset.config == CONFIG.model_dump()


def test_fingerprint_is_that_of_the_loaded_whatever_the_pieces(tmp_path: Path) -> None:
    path = write(tmp_path / "1.h5")
    assert fingerprint(path) == load(path).fingerprint
    assert fingerprint(path) == fingerprint(write(tmp_path / "2.h5", 7))


@pytest.mark.parametrize(
    "changed",
    [
        {"inputs": np.nextafter(INPUTS, np.inf)},
        {"inputs": INPUTS.reshape(50, 4, 3)},
        {"inputs": INPUTS.view(np.int64)},
        {"inputs": INPUTS[:49]},
        {"targets": TARGETS[::-1]},
    ],
)
def test_fingerprint_depends_on_values_shapes_and_types(tmp_path: Path, changed: dict) -> None:
    same, other = write(tmp_path / "1.h5"), write(tmp_path / "2.h5", **changed)
    assert fingerprint(same) != fingerprint(other)


@pytest.mark.parametrize("piece", [INPUTS.astype(np.float32), INPUTS[:, :2]])
def test_pieces_that_do_not_fit_are_refused(tmp_path: Path, piece: np.ndarray) -> None:
    message = r"train/inputs: piece of .* expected float64 rows of shape \(3, 4\)"
    with write_dataset(tmp_path / "x.h5", CONFIG) as writer:
        writer.append("train", "inputs", INPUTS)
        with pytest.raises(ValueError, match=message):
            writer.append("train", "inputs", piece)


def test_files_without_samples_or_params_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "x.h5")
    with edited(path) as file:
        del file["train"]
    assert "no dataset of specflow" in error_of(path)
    with edited(write(path)) as file:
        file.attrs["config"] = "{}"
    assert "no dataset of specflow" in error_of(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "x.h5")
    whole = path.read_bytes()
    with edited(path) as file:
        file.attrs["version"] = 99
    assert re.search(r"version 99; expected .*version 1", error_of(path))
    path.write_bytes(whole[: len(whole) // 3])
    assert "truncated" in error_of(path)
    assert "no such file" in error_of(tmp_path / "missing.h5")
