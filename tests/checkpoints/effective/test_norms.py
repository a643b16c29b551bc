"""Weights kept in parts are what their layer applies: the identity is pushed through it."""

import warnings

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

import specflow
from specflow.checkpoints.live import LiveCheckpoints
from specflow.checkpoints.opening import open_checkpoint
from specflow.errors import SpecflowError

EXACT = 4e-13  # relative: what is asked of values read from files; rounding alone is 1e-15


def old(norm, *args, **options):
    with warnings.catch_warnings(action="ignore"):
        return norm(*args, **options)


def saved(module, tmp_path, name="step1.pt"):
    torch.save(module.state_dict(), tmp_path / name)
    return tmp_path / name


def responses(layer):
    """Return the weight that a layer applies, from what it makes of unit inputs."""
    layer = layer.eval()
    with torch.no_grad():
        if isinstance(layer, nn.Linear):
            inputs = torch.eye(layer.in_features, dtype=torch.float64)
            return (layer(inputs) - layer(0 * inputs)).T
        shape = (layer.in_channels // layer.groups, *layer.kernel_size)
        return _kernel(layer, shape)


def _kernel(layer, shape):
    """Return the kernel of a convolution without groups, one input entry after the other."""
    if isinstance(layer, nn.ConvTranspose1d):
        inputs = torch.eye(shape[0], dtype=torch.float64)[:, :, None]
        return layer(inputs) - layer(0 * inputs)
    units = torch.eye(shape[0] * shape[1], dtype=torch.float64).view(-1, *shape)
    return (layer(units) - layer(0 * units))[..., 0].T.reshape(layer.out_channels, *shape)


LAYERS = {
    "linear": lambda: nn.Linear(7, 5),
    "square": lambda: nn.Linear(6, 6),
    "conv": lambda: nn.Conv1d(4, 6, 3),
    "transposed": lambda: nn.ConvTranspose1d(4, 6, 3),
    "square transposed": lambda: nn.ConvTranspose1d(5, 5, 1),
}
WEIGHT_NORMS = {"parametrized": parametrizations.weight_norm, "hook": nn.utils.weight_norm}
SPECTRAL_NORMS = {"parametrized": parametrizations.spectral_norm, "hook": nn.utils.spectral_norm}


@pytest.mark.parametrize("dim", [0, 1, None])
@pytest.mark.parametrize("kind", WEIGHT_NORMS)
@pytest.mark.parametrize("layer", LAYERS)
def test_weight_norm_is_what_the_layer_applies(tmp_path, kind, layer, dim):
    torch.manual_seed(len(kind + layer) + (dim or 0))
    module = old(WEIGHT_NORMS[kind], LAYERS[layer]().double(), dim=dim)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(torch.rand_like(parameter) + 0.5)
    with open_checkpoint(saved(module, tmp_path)) as tensors:
        assert set(tensors.infos) == {"weight", "bias"}
        assert tensors.composed == {"weight": "weight norm"}
        weight = tensors.read("weight")
    assert (weight.shape, weight.dtype) == (tensors.infos["weight"].shape, torch.float64)
    assert torch.allclose(weight, responses(module), rtol=EXACT, atol=1e-15)


@pytest.mark.parametrize("steps", [0, 1, 40])
@pytest.mark.parametrize("kind", SPECTRAL_NORMS)
@pytest.mark.parametrize("layer", LAYERS)
def test_spectral_norm_is_what_the_layer_applies_in_evaluation(tmp_path, kind, layer, steps):
    """After one step of power iteration sigma is not yet the norm: the vectors kept count.

    Before any step of a hook they are at random, and do not tell the outputs of a square kernel.
    """
    if (layer, kind, steps) == ("square transposed", "hook", 0):
        steps = 1
    torch.manual_seed(len(kind + layer))
    module = SPECTRAL_NORMS[kind](LAYERS[layer]().double())
    size = (1, module.weight.shape[0 if "transposed" in layer else 1])
    inputs = torch.ones(size if isinstance(module, nn.Linear) else (*size, 3)).double()
    for _ in range(steps):
        module(inputs)
    with open_checkpoint(saved(module, tmp_path)) as tensors:
        assert set(tensors.infos) == {"weight", "bias"}
        weight = tensors.read("weight")
    assert torch.allclose(weight, responses(module), rtol=EXACT, atol=1e-15)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_is_made_is_float64_of_what_is_kept(tmp_path, dtype):
    torch.manual_seed(0)
    state = {"a.weight_g": torch.rand(5, 1).to(dtype), "a.weight_v": torch.randn(5, 7).to(dtype)}
    g, v = (state[f"a.weight_{end}"].double() for end in "gv")
    torch.save(state, tmp_path / "step1.pt")
    with open_checkpoint(tmp_path / "step1.pt") as tensors:
        read = tensors.read("a.weight")
    assert torch.allclose(read, g * v / v.norm(dim=1, keepdim=True), rtol=EXACT)


def test_spectral_norm_of_old_torch_keeps_what_is_applied():
    state = {
        "a.weight_orig": torch.full((5, 7), 3.0),
        "a.weight": torch.ones(5, 7),
        "a.weight_u": torch.ones(5),
    }
    live = LiveCheckpoints(state)
    assert list(live.infos) == ["a.weight"]
    assert torch.equal(live.read("a.weight"), torch.ones(5, 7))


def test_any_parameter_may_be_normed(tmp_path):
    lstm = old(nn.utils.weight_norm, nn.LSTM(3, 4).double(), name="weight_hh_l0")
    lstm.weight_hh_l0_g.data.mul_(2)
    with open_checkpoint(saved(lstm, tmp_path)) as tensors:
        assert set(tensors.infos) == {"weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"}
        read = tensors.read("weight_hh_l0")
    rows = lstm.weight_hh_l0_v / lstm.weight_hh_l0_v.norm(dim=1, keepdim=True)
    assert torch.allclose(read, (lstm.weight_hh_l0_g * rows).detach(), rtol=EXACT)


def test_pruned_weight_is_masked(tmp_path):
    module = prune.random_unstructured(nn.Linear(6, 5).double(), "weight", amount=0.5)
    with open_checkpoint(saved(module, tmp_path)) as tensors:
        assert set(tensors.infos) == {"weight", "bias"}
        assert torch.allclose(tensors.read("weight"), responses(module))
        assert (tensors.read("weight") == 0).sum() == 15


ALIKE = {
    "g alone": {"a.weight_g": (5, 1), "a.b": (5, 7)},
    "vectors": {"a.weight_g": (7,), "a.weight_v": (7,)},
    "v alone": {"a.weight_v": (5, 7)},
    "g of another length": {"a.weight_g": (4, 1), "a.weight_v": (5, 7)},
    "g a matrix": {"a.weight_g": (5, 7), "a.weight_v": (5, 7)},
    "scalar of a gate": {"a.proj_g": (), "a.proj_v": (5, 7)},
    "u of another length": {"a.weight_orig": (5, 7), "a.weight_u": (6,), "a.weight_v": (5,)},
    "mask of another shape": {"a.weight_orig": (5, 7), "a.weight_mask": (5, 1)},
    "name taken": {"a.weight": (5, 7), "a.weight_g": (5, 1), "a.weight_v": (5, 7)},
}


@pytest.mark.parametrize("case", ALIKE)
def test_names_that_merely_look_alike_stay(case):
    state = {name: torch.ones(shape) for name, shape in ALIKE[case].items()}
    live = LiveCheckpoints(state)
    assert list(live.infos) == list(state)
    assert all(torch.equal(live.read(name), state[name]) for name in state)
    assert not live.skipped


class Symmetric(nn.Module):
    def forward(self, weight):
        return weight.triu() + weight.triu(1).T


UNKNOWN = {
    "orthogonal": lambda: parametrizations.orthogonal(nn.Linear(6, 6)),
    "custom": lambda: (
        m := nn.Linear(6, 6),
        parametrize.register_parametrization(m, "weight", Symmetric()),
    )[0],
    "chained": lambda: (
        m := nn.Linear(6, 6),
        parametrize.register_parametrization(m, "weight", Symmetric()),
        parametrizations.spectral_norm(m),
    )[0],
}


@pytest.mark.parametrize("kind", UNKNOWN)
def test_parametrization_that_a_file_does_not_tell_is_skipped_with_the_way_out(tmp_path, kind):
    module = UNKNOWN[kind]()
    with open_checkpoint(saved(module, tmp_path)) as tensors:
        assert list(tensors.infos) == ["bias"]
        assert all(name.startswith("parametrizations.") for name in tensors.skipped)
        assert all("specflow.analyze(model)" in why for why in tensors.skipped.values())
    with pytest.raises(SpecflowError, match="no matrix is left"):
        specflow.analyze(tmp_path / "step1.pt")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["weight", "spectral"])
def test_two_steps_of_which_one_is_parametrized_are_one_network(workplace, kind):
    torch.manual_seed(0)
    norm = {"weight": WEIGHT_NORMS, "spectral": SPECTRAL_NORMS}[kind]["parametrized"]
    module = nn.Sequential(norm(nn.Linear(12, 9)), nn.ReLU(), norm(nn.Linear(9, 7))).double().eval()
    torch.save(module.state_dict(), "step0.pt")
    for layer in module[::2]:
        parametrize.remove_parametrizations(layer, "weight")
    bare = {name: tensor * 1.01 for name, tensor in module.state_dict().items()}
    torch.save(bare, "step1.pt")
    table = specflow.analyze("step*.pt")
    assert table.groupby("step")["matrix"].apply(list).tolist() == [["0", "2"], ["0", "2"]]
    norms = table.pivot(index="matrix", columns="step", values="spectral_norm")
    assert (norms[1] / norms[0]).tolist() == pytest.approx([1.01, 1.01])
