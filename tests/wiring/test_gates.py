"""Which half of an MLP's first layer is the gate: told by its name, its module, or not told."""

import pytest
import torch
from tests.wiring.families import D, F
from torch import nn
from torch.nn import functional

from specflow.wiring.modules import structure_of_module
from specflow.wiring.recognize import LayoutParams, wiring_of
from specflow.wiring.structure import Structure
from specflow.wiring.tensors import TensorInfo


class GluMlp(nn.Module):
    """As timm's: the gate is either half."""

    def __init__(self, gate_last):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(D, 2 * F, bias=False), nn.Linear(F, D, bias=False)
        self.gate_last = gate_last

    def forward(self, x):
        first, second = self.fc1(x).chunk(2, dim=-1)
        both = (first, second) if self.gate_last else (second, first)
        return self.fc2(both[0] * functional.silu(both[1]))


class Blocks(nn.Module):
    def __init__(self, gate_last):
        super().__init__()
        self.blocks = nn.ModuleList([nn.ModuleDict({"mlp": GluMlp(gate_last)})])


def parts_of(tensors, structure):
    infos = {name: TensorInfo(tuple(t.shape), t.dtype) for name, t in tensors.items()}
    wiring = wiring_of(infos, LayoutParams(), structure)
    return {m.label: m.view.of(tensors[m.view.tensor]) for m in wiring.matrices}, wiring


@pytest.mark.parametrize("gate_last", [True, False])
def test_a_live_module_says_which_half_is_the_gate(gate_last):
    torch.manual_seed(0)
    module = Blocks(gate_last)
    parts, _ = parts_of(module.state_dict(), structure_of_module(module))
    x = torch.randn(4, D)
    hidden = functional.silu(x @ parts["block 1 MLP gate"].T) * (x @ parts["block 1 MLP in"].T)
    found = hidden @ parts["block 1 MLP out"].T
    torch.testing.assert_close(found, module.blocks[0]["mlp"](x))


def test_names_alone_do_not_say_which_half_of_fc1_is_the_gate():
    torch.manual_seed(0)
    tensors = Blocks(True).state_dict()
    parts, wiring = parts_of(tensors, Structure())
    halves = tensors["blocks.0.mlp.fc1.weight"].chunk(2)
    for name, half in zip(("first", "second"), halves, strict=True):
        assert torch.equal(parts[f"block 1 MLP {name} half"], half)
    assert [pair.label for pair in wiring.pairs] == [
        "block 1 MLP first half -> block 1 MLP out",
        "block 1 MLP second half -> block 1 MLP out",
    ]


@pytest.mark.parametrize(
    ("config", "name", "alternate"),
    [
        ({}, "experts.gate_up_proj", True),
        ({"model_type": "gpt_oss"}, "experts.gate_up_proj", True),
        ({"model_type": "another"}, "experts.gate_up_proj", False),
        ({}, "gate_up_proj.weight", False),
    ],
)
def test_rows_take_turns_in_stacked_experts_of_gpt_oss_alone(config, name, alternate):
    stacked = name.startswith("experts")
    both = torch.randn(*([2] if stacked else []), 2 * F, D)
    down = torch.randn(*([2] if stacked else []), D, F)
    tensors = {
        f"h.0.mlp.{name}": both.mT if stacked else both,
        f"h.0.mlp.{name}_bias": torch.zeros(2, 2 * F),
        f"h.0.mlp.{name.replace('gate_up', 'down')}": down.mT if stacked else down,
        "h.0.input_layernorm.weight": torch.ones(D),
        "h.0.post_attention_layernorm.weight": torch.ones(D),
    }
    parts, _ = parts_of(tensors, Structure("config.json", config=config))
    one, unit = (both[0], "expert 1 ") if stacked else (both, "")
    gate, up = (one[::2], one[1::2]) if alternate else one.chunk(2)
    assert torch.equal(parts[f"block 1 {unit}MLP gate"], gate)
    assert torch.equal(parts[f"block 1 {unit}MLP in"], up)
