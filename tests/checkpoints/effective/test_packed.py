"""What quantized formats pack is named, with its share, and none of it passes for a matrix."""

import json

import pytest
import torch

from specflow.analysis import audit
from specflow.checkpoints.effective.tensors import quantized_part
from specflow.checkpoints.live import LiveCheckpoints
from specflow.checkpoints.opening import open_checkpoint


def i32(*shape):
    return torch.zeros(shape, dtype=torch.int32)


def u8(*shape):
    return torch.zeros(shape, dtype=torch.uint8)


def half(*shape):
    return torch.ones(shape, dtype=torch.float16)


# What a layer of 32 outputs and 64 inputs keeps, as the libraries of these formats name it.
LAYERS = {
    "GPTQ": {
        "qweight": i32(8, 32),
        "qzeros": i32(2, 4),
        "scales": half(2, 32),
        "g_idx": i32(64),
    },
    "AWQ": {"qweight": i32(64, 4), "qzeros": i32(2, 4), "scales": half(2, 32)},
    "bitsandbytes": {
        "weight": u8(1024, 1),
        "weight.absmax": u8(32),
        "weight.quant_map": torch.ones(16),
        "weight.nested_absmax": torch.ones(1, 2),
        "weight.nested_quant_map": torch.ones(256),
        "weight.quant_state.bitsandbytes__nf4": u8(90),
    },
    "HQQ": {"W_q": u8(1024, 1), "scale": half(32, 1), "zero": half(32, 1), "nbits": i32(1)},
    "compressed-tensors": {
        "weight_packed": i32(32, 8),
        "weight_scale": half(32, 2),
        "weight_zero_point": i32(4, 2),
        "weight_shape": torch.tensor([32, 64]),
    },
    "NVFP4": {
        "weight": u8(32, 32),
        "weight_scale": half(32, 4).to(torch.float8_e4m3fn),
        "weight_scale_2": torch.tensor(1.0),
        "input_scale": torch.tensor(1.0),
    },
    "MXFP4": {"up_proj_blocks": u8(4, 32, 2, 16), "up_proj_scales": u8(4, 32, 2)},
    "torchao": {
        "_weight_qdata": torch.zeros(32, 64, dtype=torch.int8),
        "_weight_scale": torch.ones(32, 2),
        "_weight_zero_point": torch.zeros(32, 2),
    },
    "quanto": {
        "weight._data": u8(16, 64),
        "weight._scale": half(32, 1),
        "weight._shift": half(32, 1),
    },
    "AQLM": {
        "codes": torch.zeros(32, 8, 1, dtype=torch.int16),
        "codebooks": half(1, 256, 1, 8),
        "scales": half(32, 1, 1, 1),
    },
    "EXL2": {"q_weight": i32(8, 32), "q_scale": i32(2, 4), "q_scale_max": half(2, 2)},
    "EETQ": {"weight": torch.zeros(64, 32, dtype=torch.int8), "weight_scales": half(1, 32)},
    "integers with scales": {"weight": i32(32, 8), "scales": half(32, 2), "biases": half(32, 2)},
}


@pytest.mark.parametrize("kind", LAYERS)
def test_packed_integers_and_what_belongs_to_them_are_named(kind):
    state = {f"h.0.q.{name}": tensor for name, tensor in LAYERS[kind].items()}
    others = {"h.0.q.bias": torch.ones(32), "h.0.q2.weight": torch.ones(8, 8)}
    live = LiveCheckpoints({**state, **others})
    assert live.infos.keys() - others.keys() <= {
        name for name, tensor in state.items() if tensor.ndim < 2
    }
    assert others.keys() <= live.infos.keys()
    assert any(f"quantized, {kind}" in why and "packed" in why for why in live.skipped.values())
    matrices = {name for name, tensor in state.items() if tensor.ndim > 1}
    assert matrices <= live.quantized.keys()
    packed = sum(state[name].nbytes for name in live.quantized)
    total = packed + sum(
        t.nbytes for n, t in {**state, **others}.items() if n not in live.quantized
    )
    assert live.quantized_share == pytest.approx(packed / total, rel=1e-12)
    assert kind in quantized_part(live)


def test_packed_layer_beside_lora_leaves_the_product():
    state = {f"q.{name}": tensor for name, tensor in LAYERS["bitsandbytes"].items()}
    lora = {"q.lora_A.weight": torch.ones(2, 64), "q.lora_B.weight": torch.ones(32, 2)}
    live = LiveCheckpoints({**state, **lora})
    assert list(live.infos) == ["q.lora"]


def test_format_is_named_as_the_config_names_it(tmp_path):
    state = {"q.qweight": u8(4, 4), "q.scales": u8(4, 4), "k.weight": torch.ones(4, 4)}
    torch.save(state, tmp_path / "model.bin")
    config = {"quantization_config": {"quant_method": "fp_quant"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with open_checkpoint(tmp_path / "model.bin") as tensors:
        assert tensors.quantized == dict.fromkeys(["q.qweight", "q.scales"], "fp_quant")


@pytest.mark.parametrize(
    "state",
    [
        {"a.scales": torch.ones(4, 4), "a.zeros": torch.ones(4, 4)},
        {"a.weight": torch.ones(4, 4), "a.weight_scale": torch.ones(4, 1)},
        {"a.blocks": torch.ones(4, 4), "a.scales": torch.ones(4, 4)},
        {"a.position_ids": torch.zeros(1, 8, dtype=torch.int64)},
    ],
    ids=["scales alone", "floats with a scale", "floats in blocks", "integers of no weight"],
)
def test_what_merely_looks_quantized_stays(state):
    live = LiveCheckpoints(state)
    assert list(live.infos) == list(state)
    assert (live.quantized, live.quantized_share) == ({}, 0.0)
    assert quantized_part(live) is None


@pytest.mark.filterwarnings("ignore")
def test_audit_flags_steps_that_are_quantized(workplace):
    whole = {"q.weight": torch.randn(32, 64, generator=torch.Generator().manual_seed(0))}
    packed = {f"k.{name}": tensor for name, tensor in LAYERS["GPTQ"].items()}
    for step in range(3):
        grown = {name: tensor * (1 + step) for name, tensor in whole.items()}
        torch.save(grown | (packed if step == 1 else {}), f"step{step}.pt")
    flags = [flag for flag in audit("step*.pt", {}).flags if flag.flag == "quantized"]
    assert [flag.step for flag in flags] == [1]
    assert flags[0].evidence.endswith("% of all bytes are quantized: GPTQ")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.int8])
def test_audit_flags_a_step_whose_scales_are_not_there(workplace, dtype):
    weight = torch.randn(32, 64, generator=torch.Generator().manual_seed(0)) * 10
    for step in range(3):
        grown = weight * (1 + 0.1 * step)
        torch.save({"q.weight": grown.to(dtype) if step == 1 else grown}, f"step{step}.pt")
    flags = [flag for flag in audit("step*.pt", {}).flags if flag.flag == "quantized"]
    assert [(flag.step, "without a scale" in flag.evidence) for flag in flags] == [(1, True)]
