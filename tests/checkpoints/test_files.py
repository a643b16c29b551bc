import os

import numpy as np
import pytest
import torch
from tests.checkpoints import trajectories

from specflow.checkpoints.files import FileCheckpoints, FilesParams
from specflow.errors import SpecflowError


def found(root, *files, key=None):
    return FileCheckpoints(FilesParams.model_validate({"files": files, "key": key}), root)


@pytest.fixture
def folder(tmp_path):
    for step in (0, 100):
        torch.save({"w": torch.full((2, 2), float(step))}, tmp_path / f"step{step}.pt")
    return tmp_path


def test_steps_of_all_kinds_stand_side_by_side(folder):
    weights = {"w": np.ones((2, 2), dtype=np.float32)}
    trajectories.write(folder / "trajectory.h5", [5, 20], weights)
    checkpoints = found(folder, "step*.pt", "trajectory.h5")
    assert [step.number for step in checkpoints.steps] == [0, 5, 20, 100]
    assert [os.path.basename(step.place)[:10] for step in checkpoints.steps[::3]] == [
        "step0.pt",
        "step100.pt",
    ]
    for index, value in enumerate((0, 5, 20, 100)):
        with checkpoints.open(index) as tensors:
            assert torch.equal(tensors.read("w"), torch.full((2, 2), float(value)))
    assert list(checkpoints.trajectories) == [folder / "trajectory.h5"]


def test_key_leads_to_the_weights(folder):
    torch.save({"a": {"w": torch.ones(1, 1)}, "b": 2}, folder / "last.pt")
    with found(folder, "last.pt", key="a").open(0) as tensors:
        assert list(tensors.infos) == ["w"]


def test_fingerprint_is_that_of_the_files(folder):
    first = found(folder, "step*.pt").fingerprint()
    assert found(folder, "step*.pt").fingerprint() == first
    assert found(folder, "step0.pt").fingerprint() != first
    assert found(folder, "step*.pt", key="a").fingerprint() != first
    os.utime(folder / "step0.pt", ns=(1, 1))
    assert found(folder, "step*.pt").fingerprint() != first


def test_names_of_a_trajectory_are_checked_too(tmp_path):
    path = trajectories.write(tmp_path / "t.h5", [0], {"a\nb": np.ones((2, 2), np.float32)})
    with pytest.raises(SpecflowError, match="which holds characters that cannot be printed"):
        found(tmp_path, path.name).open(0).__enter__()
