"""A trajectory from anywhere is read, or refused in one line: it may be damaged, or hostile."""

import os
from dataclasses import replace

import h5py
import numpy as np
import pytest
import torch
from tests.checkpoints import trajectories
from tests.sealed import LENGTH, edited

from specflow.checkpoints.files import FileCheckpoints, FilesParams
from specflow.checkpoints.kept_steps import TrajectoryCheckpoints
from specflow.errors import SpecflowError
from specflow.seal import seal
from specflow.wiring.tensors import TensorInfo


@pytest.fixture
def path(tmp_path):
    weights = {
        "layer.10.weight": np.ones((2, 3), dtype=np.float32),
        "layer.2.weight": np.full((3, 2), -1, dtype=np.float32),
        "scale": np.float32(1),
    }
    return trajectories.write(tmp_path / "trajectory.h5", [0, 5, 10], weights)


def opened(path, step=None):
    params = FilesParams.model_validate({"files": [{"path": str(path), "step": step}]})
    return FileCheckpoints(params, path).open(0)


def refused(path, match):
    with pytest.raises(SpecflowError, match=match) as error:
        opened(path).__enter__()
    assert "\n" not in str(error.value)


def test_kept_step_reads_back(path):
    with opened(path, 5) as tensors:
        assert list(tensors.infos) == ["layer.2.weight", "layer.10.weight", "scale"]
        assert tensors.infos["layer.10.weight"] == TensorInfo((2, 3), torch.float32)
        assert torch.equal(tensors.read("layer.10.weight"), torch.full((2, 3), 5.0))
        assert tensors.read("scale") == 5
        assert tensors.skipped == {"count": "a buffer", "mean": "a buffer"}


def test_steps_have_epochs_and_the_trajectory_says_what_has_its_inputs_first(path):
    checkpoints = TrajectoryCheckpoints(path)
    assert [(step.number, step.epoch) for step in checkpoints.steps] == [(0, 0), (5, 1), (10, 2)]
    assert checkpoints.steps[1].place == str(path)
    assert checkpoints.transposed == ("w",)
    before = checkpoints.fingerprint()
    os.utime(path, ns=(1, 1))
    assert TrajectoryCheckpoints(path).fingerprint() != before


@pytest.mark.parametrize("transposed", ["w", "{}", "[1]", '["w"'])
def test_what_has_its_inputs_first_is_a_list_of_names(tmp_path, transposed):
    origin = replace(trajectories.ORIGIN, transposed=transposed)
    path = trajectories.write(tmp_path / "t.h5", [1], {"w": np.ones((2, 2))}, origin=origin)
    refused(path, "t.h5: damaged")


def test_truncated_trajectory_is_refused(path):
    path.write_bytes(path.read_bytes()[:-1000])
    refused(path, "truncated")


def test_other_hdf5_file_is_refused(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["weights/w"] = np.zeros((1, 2, 2))
    refused(tmp_path / "other.h5", "HDF5 that is not of specflow")


@pytest.mark.parametrize(
    ("name", "values", "match"),
    [
        ("step", np.zeros((3, 2), dtype=np.int64), "has no steps"),
        ("step", np.zeros(3), "has no steps"),
        ("epoch", np.zeros(2), "epoch is no array of 3 steps"),
        ("epoch", np.zeros((3, 2)), "epoch is no number a step"),
        ("weights/scale", np.full((3, 2, 2), b"a"), "weights/scale has dtype .*; expected numbers"),
    ],
)
def test_arrays_of_another_form_are_refused(path, name, values, match):
    with edited(path) as file:
        del file[name]
        file[name] = values
    refused(path, match)


@pytest.mark.parametrize("group", ["weights", "buffers"])
def test_damaged_group_is_refused(path, group):
    with h5py.File(path) as file:
        place = h5py.h5o.get_info(file[group].id).addr
    content = bytearray(path.read_bytes()[:-LENGTH])
    content[place : place + 64] = bytes(64)
    with path.open("w+b") as file:  # by someone who knows how files are sealed
        file.write(content)
        seal(file)
    refused(path, rf"{path.name}: (cannot be read|damaged) \(.*\)")
