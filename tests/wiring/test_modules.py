"""What live modules say: orientation, heads, sequences, ties; and pairs by what they do."""

import pytest
import torch
from torch import nn

from specflow.wiring.modules import structure_of_module
from specflow.wiring.recognize import LayoutParams, wiring_of
from specflow.wiring.tensors import TensorInfo


def wire_module(module):
    state = module.state_dict()
    infos = {name: TensorInfo(tuple(t.shape), t.dtype) for name, t in state.items()}
    return wiring_of(infos, LayoutParams(), structure_of_module(module))


class Branches(nn.Module):
    """Layers in a list that read the same input."""

    def __init__(self):
        super().__init__()
        self.features = nn.ModuleList([nn.Linear(6, 6), nn.Linear(6, 6)])
        self.last = nn.Sequential(nn.Linear(12, 6), nn.Tanh(), nn.Dropout(), nn.Linear(6, 4))

    def forward(self, x):
        return self.last(torch.cat([branch(x) for branch in self.features], dim=-1))


def read_by(module, name, x):
    """What the module that has a weight gets as its input."""
    got = []
    owner = module.get_submodule(name.rpartition(".")[0])
    hook = owner.register_forward_hook(lambda _, inputs, __: got.append(inputs[0].clone()))
    with torch.no_grad():
        module(*x)
    hook.remove()
    return got


def meets(module, previous, following, x):
    """Whether what reads `following` changes when `previous` does: perturbation, no names."""
    before = read_by(module, following, x)
    weight = module.get_parameter(previous)
    kept = weight.detach().clone()
    with torch.no_grad():
        weight.add_(torch.randn_like(weight))
        after = read_by(module, following, x)
        weight.copy_(kept)
    return any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))


def transformer():
    torch.manual_seed(0)
    return nn.Transformer(8, 2, 2, 2, 12, batch_first=True, dropout=0.0)


TOKENS = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0))
IMAGES = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("module", "x", "count"),
    [
        (transformer(), (TOKENS, TOKENS), 8),
        (Branches(), (torch.randn(3, 6),), 1),
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 5, 3)), (IMAGES,), 1),
    ],
    ids=["transformer", "branches", "sequence"],
)
def test_neighbours_are_those_that_a_perturbation_reaches(module, x, count):
    module.eval()
    hooked = [
        (meeting.previous.tensor, meeting.following.tensor)
        for pair in wire_module(module).pairs
        for meeting in pair.meetings[:1]
        if meeting.following.tensor.endswith(".weight")
        and "out_proj" not in meeting.following.tensor
    ]
    assert len(hooked) >= count
    assert all(meets(module, previous, following, x) for previous, following in hooked)
    # and the check can fail: what follows does not reach what is before it
    assert not any(
        meets(module, following, previous, x)
        for previous, following in hooked
        if previous.endswith(".weight") and "out_proj" not in previous
    )


def test_layers_side_by_side_in_a_list_are_no_neighbours():
    labels = [pair.label for pair in wire_module(Branches()).pairs]
    assert labels == ["last.0 -> last.3"]


def test_a_tied_weight_is_analysed_once():
    module = nn.ModuleDict({"embed_tokens": nn.Embedding(9, 4), "lm_head": nn.Linear(4, 9)})
    module["lm_head"].weight = module["embed_tokens"].weight
    wiring = wire_module(module)
    assert [m.name for m in wiring.matrices] == ["embed_tokens"]
    assert wiring.skipped["lm_head.weight"] == "tied: it is embed_tokens.weight"


def test_conv1d_of_transformers_lies_with_its_inputs_first():
    class Conv1D(nn.Module):
        def __init__(self):
            super().__init__()
            self.nf = 6
            self.weight = nn.Parameter(torch.randn(4, 6))

    (matrix,) = wire_module(nn.ModuleDict({"layer": Conv1D()})).matrices
    assert (matrix.view.rows, matrix.view.columns) == (6, 4)


def test_heads_are_those_of_the_modules():
    wiring = wire_module(transformer())
    pairs = {pair.label: pair for pair in wiring.pairs}
    assert len(pairs["encoder block 1 query -> encoder block 1 key"].meetings) == 2
    assert wiring.analysed[0] == "structure: from the module Transformer"
