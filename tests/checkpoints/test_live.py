import pytest
import torch
from torch import nn

from specflow.checkpoints.live import LiveCheckpoints, LiveSteps, are_steps
from specflow.checkpoints.opening import open_checkpoint
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


def training_checkpoint():
    weights = nn.Linear(3, 2).state_dict()
    return {"epoch": 3, "model_state_dict": weights, "ema": {"weight": torch.zeros(2, 3)}}


@pytest.mark.parametrize("key", [None, "model_state_dict", "ema"])
def test_a_checkpoint_is_unwrapped_in_memory_as_on_disk(tmp_path, key):
    content = training_checkpoint()
    torch.save(content, tmp_path / "last.pt")
    live = LiveCheckpoints(content, key=key)
    with open_checkpoint(tmp_path / "last.pt", key) as file:
        assert (live.infos, live.skipped) == (file.infos, file.skipped)
        assert all(torch.equal(live.read(name), file.read(name)) for name in file.infos)
    assert live.infos.keys() == ({"weight"} if key == "ema" else {"weight", "bias"})


def test_a_module_within_a_checkpoint_is_its_state_dict():
    live = LiveCheckpoints({"epoch": 3, "model": nn.Linear(3, 2)})
    assert list(live.infos) == ["weight", "bias"]


@pytest.mark.parametrize("weights", [training_checkpoint(), nn.Linear(3, 2)])
def test_a_key_that_is_not_there_is_refused_in_memory(weights):
    with pytest.raises(SpecflowError, match="state dict: key 'nope': there is no 'nope', but"):
        LiveCheckpoints(weights, key="nope")


def test_steps_in_memory_are_ascending():
    first, last = nn.Linear(3, 2), nn.Linear(3, 2).state_dict()
    live = LiveSteps({100: last, 0: first})
    assert [step.number for step in live.steps] == [0, 100]
    for index, weight in enumerate((first.weight, last["weight"])):
        with live.open(index) as tensors:
            assert torch.equal(tensors.read("weight"), weight)
    before = live.fingerprint()
    last["weight"][0, 0] += 1
    assert live.fingerprint() != before


@pytest.mark.parametrize("others", [{}, {0: torch.ones(2, 2)}, {"0": {}}, {True: {}}, {0: "a"}])
def test_what_is_no_dict_of_steps(others):
    assert are_steps({0: {}, 1: nn.Linear(3, 2)})
    assert not are_steps(others)


def test_steps_below_0_are_refused():
    with pytest.raises(SpecflowError, match="checkpoints: step -1; expected numbers from 0 on"):
        LiveSteps({-1: {"w": torch.ones(2, 2)}, 0: {"w": torch.ones(2, 2)}})
