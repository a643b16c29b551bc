"""Rules one after the other: each in what those before it left."""

from random import Random

import pytest
import torch

import specflow
from specflow.checkpoints.effective.tensors import Effective
from specflow.checkpoints.formats import TensorFile
from specflow.checkpoints.live import LiveCheckpoints
from specflow.checkpoints.opening import open_checkpoint
from specflow.errors import SpecflowError
from specflow.wiring.tensors import TensorInfo


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


NAMES = (
    *("weight", "weight_g", "weight_v", "weight_u", "weight_orig", "weight_mask", "weight_scale"),
    *("parametrizations.weight.original0", "parametrizations.weight.original1", "weight_scale_inv"),
    *("parametrizations.weight.original", "parametrizations.weight.0._u", "qweight", "scales"),
    *("lora_A.weight", "lora_B.weight", "lora_magnitude_vector", "alpha", "SCB", "weight.absmax"),
    *("lora_embedding_A", "lora_embedding_B", "experts.lora_A.weight", "experts.lora_B.weight"),
    *("modules_to_save.default.weight", "original_module.weight", "experts.up", "ia3_l", "bias"),
)
SHAPES = ((), (0,), (1,), (4,), (0, 4), (4, 0), (1, 4), (4, 1), (4, 4), (2, 4), (4, 2), (2, 4, 4))
DTYPES = (
    *(torch.float32, torch.float64, torch.bfloat16, torch.int8, torch.uint8, torch.bool),
    *(torch.complex64, torch.float8_e4m3fn, torch.float8_e8m0fnu, torch.int64),
)
CONFIGS = (
    None,
    {"lora_alpha": 8, "r": 2, "target_parameters": ["experts.up"]},
    {"lora_alpha": 10**400, "alpha_pattern": {"a": []}, "use_rslora": True},
    {"peft_type": ["LORA"], "quantization_config": {"weight_block_size": [2, 0]}},
    {"alpha_pattern": 3, "rank_pattern": {"(": 1}, "target_parameters": 1, "lora_alpha": -1},
    {"quantization_config": {"weight_block_size": [2, 3, 4, 5], "quant_method": 5}},
)


def test_whatever_names_and_shapes_come_together_is_read_or_told():
    """Names, shapes and dtypes at random: each tensor is read in the shape told, or is skipped."""
    random = Random(0)
    made = 0
    for _ in range(600):
        state = {}
        for name in random.sample(NAMES, random.randint(2, 6)):
            square = random.random() < 0.5  # else next to none fit each other
            shape = (4, 4) if square else random.choice(SHAPES)
            dtype = torch.float32 if random.random() < 0.6 else random.choice(DTYPES)
            state[f"a.{name}"] = torch.ones(shape).to(dtype)
        config = random.choice(CONFIGS)
        tensors = Effective(_Held(state), lambda _, config=config: config)
        for name, info in tensors.infos.items():
            read = tensors.read(name)
            assert (tuple(read.shape), read.dtype) == (info.shape, info.dtype), (name, state.keys())
        made += len(tensors.composed)
        assert tensors.composed.keys() <= tensors.infos.keys()
        assert not tensors.skipped.keys() & tensors.infos.keys()
        assert 0 <= tensors.quantized_share <= 1
    assert made > 100  # the cases are not all of nothing


class _Held:
    """A state dict as the tensors of a step."""

    def __init__(self, state):
        self._state, self.skipped = state, {}
        self.infos = {n: TensorInfo(tuple(t.shape), t.dtype) for n, t in state.items()}

    def read(self, name):
        return self._state[name].clone()
