"""What torch quantizes is named as that, in files, pickled modules and memory, and flagged."""

import math

import pytest
import torch
from torch import nn
from torch.ao import quantization

from specflow.analysis import audit
from specflow.checkpoints.effective.tensors import quantized_part
from specflow.checkpoints.live import LiveCheckpoints
from specflow.checkpoints.opening import open_checkpoint
from specflow.errors import SpecflowError

pytestmark = pytest.mark.filterwarnings("ignore")  # of torch, which will drop quantized tensors


def dynamic(dtype=torch.qint8):
    torch.manual_seed(0)
    layers = {"fc": nn.Linear(6, 5), "lstm": nn.LSTM(4, 4), "own": nn.Conv1d(2, 3, 1)}
    network = nn.ModuleDict(layers)
    return quantization.quantize_dynamic(network, {nn.Linear, nn.LSTM}, dtype=dtype)


def static():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4, 5)).eval()
    network.qconfig = quantization.default_qconfig
    prepared = quantization.prepare(network)
    prepared(torch.randn(2, 3, 3, 3))
    return quantization.convert(prepared)


NETWORKS = {"dynamic": dynamic, "static": static}
NUMBERS = {"dynamic": 6 * 5 + 2 * 16 * 4, "static": 4 * 3 * 9 + 4 * 5}  # of int8, packed


@pytest.mark.parametrize("kind", NETWORKS)
def test_packed_weights_are_named_wherever_they_lie(kind, tmp_path):
    network = NETWORKS[kind]()
    torch.save(network.state_dict(), tmp_path / "state.pt")
    torch.save(network, tmp_path / "module.pt")
    with (
        open_checkpoint(tmp_path / "state.pt") as file,
        open_checkpoint(tmp_path / "module.pt") as pickled,
    ):
        for tensors in (file, pickled, LiveCheckpoints(network)):
            assert "quantized: torch" in quantized_part(tensors)
            matrices = [name for name, info in tensors.infos.items() if len(info.shape) > 1]
            assert matrices == (["own.weight"] if kind == "dynamic" else [])
        packed = LiveCheckpoints(network)
        assert (file.infos, file.skipped.keys()) == (packed.infos, packed.skipped.keys())
        assert file.quantized_share == packed.quantized_share


@pytest.mark.parametrize("kind", NETWORKS)
def test_share_is_that_of_the_packed_bytes(kind, tmp_path):
    torch.save(NETWORKS[kind](), tmp_path / "module.pt")  # whose scales are no tensors
    with open_checkpoint(tmp_path / "module.pt") as tensors:
        others = sum(4 * math.prod(info.shape) for info in tensors.infos.values())
        packed = NUMBERS[kind]
        assert tensors.quantized_share == pytest.approx(packed / (packed + others), rel=1e-12)


@pytest.mark.parametrize("kind", NETWORKS)
def test_audit_flags_what_torch_quantized(kind, tmp_path):
    torch.save(NETWORKS[kind]().state_dict(), tmp_path / "step0.pt")
    found = audit(tmp_path / "step0.pt", {})
    assert [flag.flag for flag in found.flags] == ["quantized"]


def test_four_bits_are_named(tmp_path):
    numbers = torch.quantize_per_channel(
        torch.randn(10, 8), torch.ones(10), torch.zeros(10), 0, torch.quint4x2
    )
    torch.save({"e._packed_params._packed_weight": numbers}, tmp_path / "step0.pt")
    with open_checkpoint(tmp_path / "step0.pt") as tensors:
        assert (list(tensors.infos), list(tensors.quantized.values())) == ([], ["torch"])


def test_packed_halves_are_read_as_the_weights_that_they_are(tmp_path):
    network = dynamic(torch.float16)
    torch.save({"fc": network["fc"].state_dict()}, tmp_path / "step0.pt")
    with open_checkpoint(tmp_path / "step0.pt", "fc") as tensors:
        weight = tensors.read("_packed_params._packed_params.0")
        assert torch.equal(weight, network["fc"].weight())
        assert quantized_part(tensors) is None


def test_tuples_of_tensors_that_are_not_quantized_stay_out():
    live = LiveCheckpoints({"w": torch.ones(2, 2), "history": (torch.ones(2, 2), 3)})
    assert list(live.infos) == ["w"]
    assert live.skipped == {"history": "of type tuple: no tensor"}


def test_what_refers_to_itself_in_memory_is_refused():
    endless = {}
    endless["a"] = endless
    with pytest.raises(SpecflowError, match="within each other without end"):
        LiveCheckpoints(endless)
