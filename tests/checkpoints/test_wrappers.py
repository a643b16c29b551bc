"""What wrappers add to names is left out, so that a wrapped step is the same network."""

import pytest
import torch
from torch import nn
from torch.nn.parallel import DataParallel

import specflow
from specflow.checkpoints.opening import open_checkpoint
from specflow.checkpoints.wrappers import unwrapped


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("module.layers.0.weight", "layers.0.weight"),
        ("_orig_mod.module.layers.0.weight", "layers.0.weight"),
        ("layers.0._checkpoint_wrapped_module.mlp._orig_mod.weight", "layers.0.mlp.weight"),
        ("base_model.model.model.q_proj.base_layer.weight", "model.q_proj.weight"),
        (
            "base_model.model.model.q_proj.lora_A.default.weight",
            "model.q_proj.lora_A.default.weight",
        ),
        (
            "base_model.model.mlp.experts.base_layer.base_layer.lora_A.weight",
            "mlp.experts.base_layer.base_layer.lora_A.weight",
        ),
        ("mlp.experts.base_layer.base_layer.gate_up_proj", "mlp.experts.gate_up_proj"),
        ("model.module_list.0.weight", "model.module_list.0.weight"),
        ("submodule.weight", "submodule.weight"),
        ("model.base_model.model.weight", "model.base_model.model.weight"),
        ("module", "module"),
    ],
)
def test_names_are_those_of_the_bare_network(given, expected):
    assert unwrapped([given]) == {given: expected}


def test_names_that_would_become_one_stay():
    names = ["module.weight", "weight", "module.bias"]
    assert unwrapped(names) == {name: name for name in names}


@pytest.mark.filterwarnings("ignore")
def test_two_steps_of_which_one_is_wrapped_are_one_network(workplace):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 9), nn.ReLU(), nn.Linear(9, 7))
    torch.save(model.state_dict(), "step0.pt")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
    torch.save(DataParallel(torch.compile(model)).state_dict(), "step1.pt")
    table = specflow.analyze("step*.pt")
    assert table.groupby("step")["matrix"].apply(list).tolist() == [["0", "2"], ["0", "2"]]
    with open_checkpoint(workplace / "step1.pt") as file:
        assert torch.equal(file.read("0.weight"), model[0].weight)
