import json

import pytest
import torch
from tests.checkpoints import trajectories

from specflow.datasets.shapes import ImageShape
from specflow.errors import SpecflowError
from specflow.models.unet import UnetParams
from specflow.studies.checkpoints.reading import read_checkpoints
from specflow.studies.checkpoints.settings import ReadingParams

MODEL = {"kind": "unet", "channels": [4, 8], "embedding_width": 4, "fourier_scale": 1.0}
SHAPE = {"kind": "images", "channels": 1, "size": 28, "num_classes": 10}


def read(folder, *files, **more):
    return read_checkpoints(ReadingParams.model_validate({"files": files} | more), folder)


@pytest.fixture
def network():
    section = UnetParams.model_validate(MODEL)
    return section.build(ImageShape.model_validate(SHAPE))


def trajectory(folder, network, config):
    weights = {name: p.detach().numpy() for name, p in network.named_parameters()}
    return trajectories.write(folder / "trajectory.h5", [0, 5], weights, json.dumps(config))


def test_own_trajectory_tells_which_parameters_have_their_inputs_first(tmp_path, network, capsys):
    trajectory(tmp_path, network, {"model": MODEL, "shape": SHAPE, "batch_size": 3})
    _, wiring = read(tmp_path, "trajectory.h5")
    expected = {m.view.tensor: m.view.transposed for m in network.wiring.matrices}
    assert {m.view.tensor: m.view.transposed for m in wiring.matrices} == expected
    assert len(set(expected.values())) == 2
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("config", [{}, {"model": MODEL, "shape": {"kind": "tokens"}}])
def test_trajectory_of_another_version_is_read_as_declared(tmp_path, network, capsys, config):
    trajectory(tmp_path, network, config)
    _, wiring = read(tmp_path, "trajectory.h5", transposed=["up.0.conv*"])
    assert [m.name for m in wiring.matrices if m.view.transposed] == ["up.0.conv"]
    assert "its config is not of this version: inputs come first" in capsys.readouterr().err


def test_wiring_is_that_of_what_most_steps_hold(tmp_path):
    for step in range(3):
        torch.save({"w": torch.ones(2, 3 + (step == 1))}, tmp_path / f"step{step}.pt")
    checkpoints, wiring = read(tmp_path, "step*.pt")
    assert [step.number for step in checkpoints.steps] == [0, 1, 2]
    assert [(m.name, m.view.shape) for m in wiring.matrices] == [("w", (2, 3))]


def test_layout_that_does_not_fit_is_refused(tmp_path):
    torch.save({"w": torch.ones(2, 3)}, tmp_path / "step0.pt")
    with pytest.raises(SpecflowError, match="layout: got 'llama', but the tensors are w"):
        read(tmp_path, "step0.pt", layout="llama")
