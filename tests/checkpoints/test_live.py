import pytest
import torch
from torch import nn

from specflow.checkpoints.live import LiveCheckpoints
from specflow.errors import SpecflowError
from specflow.wiring.tensors import TensorInfo


def test_module_is_one_step_of_its_state_dict():
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    live = LiveCheckpoints(module, step=7)
    assert [(step.number, step.place) for step in live.steps] == [(7, "Sequential")]
    with live.open(0) as tensors:
        assert list(tensors.infos) == list(module.state_dict())
        assert tensors.infos["0.weight"] == TensorInfo((4, 3), torch.float32)
        assert torch.equal(tensors.read("0.weight"), module[0].weight)


def test_what_is_read_is_a_contiguous_copy():
    state = {"w": torch.ones(4, 6, requires_grad=True).T}
    weight = LiveCheckpoints(state).read("w")
    assert weight.is_contiguous()
    assert not weight.requires_grad
    weight.zero_()
    assert state["w"].sum() == 24


def test_entries_that_are_no_dense_tensors_are_listed():
    state = {
        "w": torch.ones(2, 2),
        "extra": None,
        "sparse": torch.eye(3).to_sparse(),
        "meta": torch.ones(2, 2, device="meta"),
    }
    live = LiveCheckpoints(state)
    assert list(live.infos) == ["w"]
    assert live.skipped["extra"] == "of type NoneType: no tensor"
    assert "no dense tensor" in live.skipped["sparse"]
    assert "without data" in live.skipped["meta"]


def test_fingerprint_follows_the_weights():
    state = {"w": torch.ones(2, 2), "n": torch.tensor(3)}
    live = LiveCheckpoints(state)
    first = live.fingerprint()
    assert live.fingerprint() == first
    state["w"][1, 1] = 2
    assert live.fingerprint() != first


@pytest.mark.parametrize(("name", "match"), [(0, "expected text"), ("a/../b", "path of HDF5")])
def test_name_that_is_no_path_is_refused(name, match):
    with pytest.raises(SpecflowError, match=f"state dict: a tensor has the name .*{match}"):
        LiveCheckpoints({name: torch.ones(2, 2)})
