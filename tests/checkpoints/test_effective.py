"""Rules one after the other: each in what those before it left."""

import pytest
import torch

import specflow
from specflow.checkpoints.formats import TensorFile
from specflow.checkpoints.live import LiveCheckpoints
from specflow.checkpoints.opening import open_checkpoint
from specflow.errors import SpecflowError


def test_scaled_weight_with_lora_is_made_of_both(tmp_path):
    torch.manual_seed(0)
    weight, scale = torch.randn(6, 8).to(torch.float8_e4m3fn), torch.rand(6, 1)
    a, b = torch.randn(2, 8), torch.randn(6, 2)
    state = {
        "q.base_layer.weight": weight,
        "q.base_layer.weight_scale": scale,
        "q.lora_A.weight": a,
        "q.lora_B.weight": b,
    }
    torch.save(state, tmp_path / "model.pt")
    (tmp_path / "adapter_config.json").write_text('{"lora_alpha": 4}')
    with open_checkpoint(tmp_path / "model.pt") as tensors:
        expected = weight.double() * scale.double() + 2 * b.double() @ a.double()
        assert torch.allclose(tensors.read("q.weight"), expected, rtol=4e-13, atol=1e-14)
        assert tensors.composed["q.weight"] == (
            "LoRA: W + 2 B A, W: fp8 with a scale of each output"
        )


def test_tensors_that_nothing_is_made_of_are_read_as_they_are():
    state = {
        "b.weight": torch.ones(3, 2, dtype=torch.bfloat16),
        "a.weight": torch.ones(4, 4),
        "a.steps": torch.tensor(3),
    }
    live = LiveCheckpoints(state)
    assert list(live.infos) == list(state)
    assert all(torch.equal(live.read(name), state[name]) for name in state)
    assert all(live.read(name).dtype == state[name].dtype for name in state)
    assert (live.skipped, live.composed, live.quantized) == ({}, {}, {})


def test_what_is_made_stands_where_its_parts_stood():
    state = {
        "0.weight": torch.ones(2, 2),
        "1.parametrizations.weight.original0": torch.ones(2, 1),
        "1.parametrizations.weight.original1": torch.ones(2, 2),
        "2.weight": torch.ones(2, 2),
    }
    assert list(LiveCheckpoints(state).infos) == ["0.weight", "1.weight", "2.weight"]


def test_moments_of_optimizers_are_no_weights():
    state = {
        "model.q.weight": torch.ones(4, 4),
        "optimizer.state.q.weight.exp_avg": torch.ones(4, 4),
        "optimizer.state.q.weight.exp_avg_sq": torch.ones(4, 4),
        "ema.q.weight": torch.ones(4, 4),
    }
    live = LiveCheckpoints(state)
    assert list(live.infos) == ["model.q.weight", "ema.q.weight"]
    assert set(live.skipped.values()) == {"state of an optimizer"}


def test_names_and_shapes_alone_are_read_when_a_step_is_opened(tmp_path, monkeypatch):
    torch.save({"a.weight_g": torch.ones(2, 1), "a.weight_v": torch.ones(2, 2)}, tmp_path / "s.pt")

    def refuse(self, name):
        raise AssertionError(name)

    monkeypatch.setattr(TensorFile, "read", refuse)
    with open_checkpoint(tmp_path / "s.pt") as tensors:
        assert tensors.infos["a.weight"].shape == (2, 2)


@pytest.mark.parametrize("text", ["{", "[]"])
def test_broken_config_of_an_adapter_is_named(tmp_path, text):
    torch.save({"q.lora_A.weight": torch.ones(2, 8)}, tmp_path / "s.pt")
    (tmp_path / "adapter_config.json").write_text(text)
    with pytest.raises(SpecflowError, match=r"adapter_config.json: .*expected|no object"):
        specflow.analyze(tmp_path / "s.pt")
