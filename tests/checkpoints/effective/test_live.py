"""Modules in memory say what they apply in evaluation, and stay as they are."""

import warnings

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize

from specflow.checkpoints.live import LiveCheckpoints


class Symmetric(nn.Module):
    def forward(self, weight):
        return weight.triu() + weight.triu(1).T


class Broken(nn.Module):
    def forward(self, weight):
        if torch.is_grad_enabled():
            return weight
        raise RuntimeError("of no use without gradients")


def parametrized(*steps):
    layer = nn.Linear(6, 6)
    for step in steps:
        parametrize.register_parametrization(layer, "weight", step)
    return layer


def old(norm):
    with warnings.catch_warnings(action="ignore"):
        return norm(nn.Linear(6, 5))


MODULES = {
    "weight norm": lambda: parametrizations.weight_norm(nn.Linear(6, 5)),
    "spectral norm": lambda: parametrizations.spectral_norm(nn.Linear(6, 5)),
    "weight norm by a hook": lambda: old(nn.utils.weight_norm),
    "spectral norm by a hook": lambda: old(nn.utils.spectral_norm),
    "orthogonal": lambda: parametrizations.orthogonal(nn.Linear(6, 6)),
    "custom": lambda: parametrized(Symmetric()),
    "chained": lambda: parametrizations.spectral_norm(parametrized(Symmetric())),
}


@pytest.mark.parametrize("kind", MODULES)
def test_module_says_what_it_applies_and_stays_as_it_is(kind):
    torch.manual_seed(3)
    module = nn.Sequential(MODULES[kind](), nn.Dropout()).train()
    with torch.no_grad():
        module[0].bias.zero_()
        module(torch.ones(1, 6))
        for parameter in module.parameters():
            parameter.mul_(1.5)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    live = LiveCheckpoints(module)
    weight = live.read("0.weight")
    assert set(live.infos) == {"0.weight", "0.bias"}
    assert live.infos["0.weight"].shape == tuple(weight.shape)
    assert all(part.training for part in module.modules())
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())
    module.eval()
    with torch.no_grad():
        assert torch.allclose(weight.float(), module(torch.eye(6)).T, atol=1e-6)
    live.read("0.weight").zero_()
    assert torch.equal(live.read("0.weight"), weight)


@pytest.mark.parametrize("kind", [kind for kind in MODULES if "norm" in kind])
def test_norms_of_a_module_are_those_of_its_file(kind):
    torch.manual_seed(4)
    module = MODULES[kind]()
    live, kept = LiveCheckpoints(module), LiveCheckpoints(module.state_dict())
    assert live.infos == kept.infos
    assert torch.allclose(live.read("weight"), kept.read("weight"), rtol=4e-13, atol=1e-15)


def test_parametrization_that_fails_is_skipped():
    live = LiveCheckpoints(parametrized(Broken()))
    assert list(live.infos) == ["bias"]
    assert "cannot be computed (RuntimeError)" in live.skipped["parametrizations.weight.original"]


def test_wrapped_module_has_the_names_of_the_bare_one():
    module = nn.Sequential(parametrizations.weight_norm(nn.Linear(6, 5)))
    wrapped = LiveCheckpoints(nn.DataParallel(module))
    assert list(wrapped.infos) == list(LiveCheckpoints(module).infos) == ["0.bias", "0.weight"]


class LoraLinear(nn.Module):
    """A layer with adapters, with the attributes that those of peft have."""

    def __init__(self, active=("one",), merged=(), disabled=False):
        super().__init__()
        self.base_layer = nn.Linear(7, 5, bias=False)
        self.lora_A = nn.ModuleDict({n: nn.Linear(7, 3, bias=False) for n in ("one", "two")})
        self.lora_B = nn.ModuleDict({n: nn.Linear(3, 5, bias=False) for n in ("one", "two")})
        self.scaling = {"one": 2.0, "two": 0.5}
        self.active_adapters, self.merged_adapters = list(active), list(merged)
        self.disable_adapters = disabled

    def forward(self, inputs):
        made = self.base_layer(inputs)
        for name in [] if self.disable_adapters else self.active_adapters:
            if name not in self.merged_adapters:
                made = made + self.scaling[name] * self.lora_B[name](self.lora_A[name](inputs))
        return made


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"active": ("one", "two")},
        {"active": ("one", "two"), "merged": ("one",)},
        {"merged": ("one",)},
        {"disabled": True},
    ],
    ids=str,
)
def test_live_layer_tells_which_adapters_it_adds(options):
    torch.manual_seed(0)
    model = nn.Sequential(LoraLinear(**options).double())
    live = LiveCheckpoints(model)
    assert set(live.infos) == {"0.weight", "0.lora.one", "0.lora.two"}
    with torch.no_grad():
        expected = model(torch.eye(7, dtype=torch.float64)).T
    assert torch.allclose(live.read("0.weight"), expected, rtol=4e-13, atol=1e-15)
