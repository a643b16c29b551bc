"""Weights of 8 bits are read as what they stand for: times the scales beside them."""

import json

import pytest
import torch
from safetensors.torch import save_file

from specflow.checkpoints.effective.scaled import FLOAT8
from specflow.checkpoints.live import LiveCheckpoints
from specflow.checkpoints.opening import open_checkpoint

E4M3 = torch.float8_e4m3fn


def numbers(shape, dtype, seed=0):
    values = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return (values * 20).round().to(dtype) if dtype == torch.int8 else values.to(dtype)


def scales_of(shape, seed=1):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) + 0.5


def naive(weight, scales, blocks):
    """Return each entry times the scale of its block, one by one."""
    made = weight.double()
    for row in range(weight.shape[0]):
        for column in range(weight.shape[1]):
            made[row, column] *= scales[row // blocks[0], column // blocks[1]].double()
    return made


def opened(folder, state, config=None):
    save_file(state, folder / "model.safetensors")
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))
    return open_checkpoint(folder / "model.safetensors")


# Shape of the weight and of its scales, block size in config.json, block size that is right.
BLOCKS = {
    "of the config": ((20, 24), (5, 3), [4, 8], (4, 8)),
    "of the config, cut at the ends": ((19, 23), (5, 3), [4, 8], (4, 8)),
    "usual": ((130, 200), (2, 2), None, (128, 128)),
    "usual where the config's do not fit": ((130, 200), (2, 2), [4, 8], (128, 128)),
    "equal": ((6, 9), (2, 3), None, (3, 3)),
    "one row of them": ((5, 200), (1, 2), None, (5, 128)),
    "of outputs": ((5, 9), (5, 1), None, (1, 9)),
    "of all": ((5, 9), (1, 1), None, (5, 9)),
}


@pytest.mark.parametrize("case", BLOCKS)
def test_block_scales_multiply(tmp_path, case):
    shape, of_scales, told, blocks = BLOCKS[case]
    weight, scales = numbers(shape, E4M3), scales_of(of_scales)
    config = {"quantization_config": {"weight_block_size": told}} if told else None
    state = {"q.weight": weight, "q.weight_scale_inv": scales}
    with opened(tmp_path, state, config) as tensors:
        assert list(tensors.infos) == ["q.weight"]
        assert tensors.composed["q.weight"].startswith("fp8 with")
        assert torch.equal(tensors.read("q.weight"), naive(weight, scales, blocks))


@pytest.mark.parametrize("dtype", [*FLOAT8, torch.int8])
@pytest.mark.parametrize("shape", [(), (1,), (6,), (6, 1)])
def test_scales_of_outputs_or_of_all_multiply(tmp_path, dtype, shape):
    weight, scales = numbers((6, 6), dtype), scales_of(shape)
    state = {"a.weight": weight, "a.weight_scale": scales, "a.bias": torch.ones(6)}
    rows = scales.reshape(-1, 1).expand(6, 1)
    with opened(tmp_path, state) as tensors:
        assert list(tensors.infos) == ["a.bias", "a.weight"]
        assert torch.equal(tensors.read("a.weight"), naive(weight, rows, (1, 6)))
        assert not tensors.quantized


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float8_e8m0fnu])
def test_scales_that_are_exponents_are_powers_of_two(dtype):
    exponents = torch.tensor([[120, 127], [128, 130]], dtype=torch.uint8)
    weight = numbers((2, 64), E4M3)
    live = LiveCheckpoints({"a.weight": weight, "a.weight_scale": exponents.view(dtype)})
    scales = torch.tensor([[2.0**-7, 1.0], [2.0, 8.0]])
    assert torch.equal(live.read("a.weight"), naive(weight, scales, (1, 32)))


def test_stacked_experts_have_scales_of_their_own():
    weight, scales = numbers((3, 20, 24), E4M3), scales_of((3, 5, 3))
    live = LiveCheckpoints({"experts.up_proj": weight, "experts.up_proj_scale_inv": scales})
    made = live.read("experts.up_proj")
    for expert in range(3):
        assert torch.equal(made[expert], naive(weight[expert], scales[expert], (4, 8)))


def test_int8_of_bitsandbytes_and_with_zero_points():
    weight, scales = numbers((4, 6), torch.int8), scales_of((4, 1))
    zeros = torch.tensor([[1], [-3], [0], [7]], dtype=torch.int8)
    live = LiveCheckpoints(
        {
            "a.weight": weight,
            "a.SCB": scales[:, 0],
            "b.weight": weight,
            "b.weight_scale": scales,
            "b.weight_zero_point": zeros,
        }
    )
    assert list(live.infos) == ["a.weight", "b.weight"]
    assert torch.allclose(live.read("a.weight"), naive(weight, scales, (1, 6)) / 127, rtol=1e-15)
    shifted = weight.double() - zeros
    assert torch.equal(live.read("b.weight"), naive(shifted, scales, (1, 6)))


def test_float8_without_a_scale_is_read_as_it_is_and_says_so():
    weight = numbers((4, 6), E4M3)
    live = LiveCheckpoints({"a.weight": weight})
    assert live.composed == {"a.weight": "fp8 without a scale, read as it is"}
    assert live.quantized == live.composed
    assert torch.equal(live.read("a.weight"), weight.float())


@pytest.mark.parametrize(
    "state",
    [
        {"a.weight": numbers((10, 10), E4M3), "a.weight_scale_inv": scales_of((3, 4))},
        {"a.weight_scale": numbers((10, 10), E4M3)},
    ],
    ids=["blocks of no size", "scales alone"],
)
def test_what_cannot_be_made_is_left_out_with_the_reason(state):
    live = LiveCheckpoints({**state, "b.weight": torch.ones(2, 2)})
    assert list(live.infos) == ["b.weight"]
    assert live.skipped.keys() == state.keys()
    assert live.quantized.keys() <= state.keys()
