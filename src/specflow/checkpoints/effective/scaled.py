"""Weights of 8 bits and the scales beside them: read as what they stand for."""

import re
from collections.abc import Sequence
from functools import cache, partial

import torch
from torch import Tensor

from specflow.checkpoints.base import Infos, Tensors
from specflow.checkpoints.effective.parts import Beside, Composed, Found
from specflow.wiring.reasons import QUANTIZED
from specflow.wiring.tensors import FLOATS, TensorInfo

FLOAT8 = (
    torch.float8_e4m3fn,
    torch.float8_e4m3fnuz,
    torch.float8_e5m2,
    torch.float8_e5m2fnuz,
)
INTEGERS = (
    torch.uint8,
    torch.int8,
    torch.int16,
    torch.uint16,
    torch.int32,
    torch.uint32,
    torch.int64,
    torch.float4_e2m1fn_x2,  # two numbers each
)
_EXPONENTS = (torch.float8_e8m0fnu, torch.uint8)  # scales that are powers of 2
_USUAL_BLOCK = 128
_SCALES = ("{}_scale_inv", "{}_scale")  # both multiply
_SCALES_OF_WEIGHT = ("{}.scale", "{}.scale_weight")
_SCALE_ITSELF = re.compile(r"(?:^|[._])scales?(?:_inv|_\d+)?$")
_EXPONENT_BIAS = 127
_LARGEST_INT8 = 127


def scaled_weights(tensors: Tensors, beside: Beside) -> Found:
    """Find matrices in float8 or int8, with the scales by which their layer multiplies them.

    A scale is that of all entries, of an output, or of a block: sizes of blocks are those of
    `weight_block_size` in config.json, else 128, else such that all are equal, whichever fit first.
    int8 is W = int8 SCB / 127 (bitsandbytes), or (int8 - zero point) times the scale
    (compressed-tensors). float8 without a scale is read as it is, integers without one are no
    weights: both are told as quantized, for a scale may be elsewhere.
    """
    infos, composed = tensors.infos, list[Composed]()
    skipped, quantized = dict[str, str](), dict[str, str]()
    sizes = cache(partial(_block_sizes, beside))  # read if there are scales
    for name, info in infos.items():
        if len(info.shape) < 2 or info.dtype not in (*FLOAT8, *INTEGERS):
            continue
        scale = _scale_of(name, infos)
        if scale is not None:
            one = _scaled(name, scale, sizes(), infos)
            if one is None:
                shapes = f"({info.shape}, {infos[scale].shape})"
                reason = f"{QUANTIZED}, {_kind(info)} with scales of unknown blocks: shape {shapes}"
                skipped |= dict.fromkeys((name, scale), reason)
                quantized |= dict.fromkeys((name, scale), _kind(info))
            else:
                composed.append(one)
        elif info.dtype in FLOAT8 and not _SCALE_ITSELF.search(name):
            how = quantized[name] = f"{_kind(info)} without a scale, read as it is"
            composed.append(Composed(name, info.shape, how, (name,), Tensor.float, torch.float32))
        elif info.dtype in FLOAT8:
            skipped[name] = f"{QUANTIZED}, {_kind(info)}: scales of what is not there"
        elif f".{name}".endswith(".weight"):
            quantized[name] = "integers without a scale"
    return Found(tuple(composed), skipped, quantized)


def _scale_of(name: str, infos: Infos) -> str | None:
    """Return the name of the scales of a matrix of 8 bits, if it has some."""
    if infos[name].dtype not in (*FLOAT8, torch.int8):
        return None
    stem = name.removesuffix(".weight") if name.endswith(".weight") else None
    named = [pattern.format(name) for pattern in _SCALES]
    if stem is not None:
        named += [pattern.format(stem) for pattern in _SCALES_OF_WEIGHT]
        named += [f"{stem}.SCB"] * (infos[name].dtype == torch.int8)
    scales = (*FLOATS, *_EXPONENTS)
    return next((one for one in named if one in infos and infos[one].dtype in scales), None)


def _kind(info: TensorInfo) -> str:
    return "fp8" if info.dtype in FLOAT8 else "int8"


def _block_sizes(beside: Beside) -> tuple[int, ...]:
    """Return the sizes of blocks of the last dimensions, as config.json says; () if it does not."""
    quantization = (beside("config.json") or {}).get("quantization_config")
    sizes = quantization.get("weight_block_size") if isinstance(quantization, dict) else None
    told = isinstance(sizes, list) and all(isinstance(one, int) and one > 0 for one in sizes)
    return tuple(sizes) if told and sizes else ()


def _blocks(
    shape: tuple[int, ...], scales: tuple[int, ...], sizes: Sequence[int]
) -> tuple[int, ...] | None:
    """Return how many entries of each dimension have one scale; None if scales do not fit."""
    if len(scales) > len(shape):
        return None
    found = []
    for axis, (length, count) in enumerate(
        zip(shape, (*scales, *(1,) * (len(shape) - len(scales))), strict=True)
    ):
        place = axis - len(shape) + len(sizes)
        told = [sizes[place]] if 0 <= place < len(sizes) else []
        equal = [length // count] if count and length % count == 0 else []
        whole = equal if count in (1, length) else []
        fitting = (
            one for one in (*whole, *told, _USUAL_BLOCK, *equal) if -(-length // one) == count
        )
        block = next(fitting, None) if length else None
        if block is None:
            return None
        found.append(block)
    return tuple(found)


def _scaled(name: str, scale: str, sizes: Sequence[int], infos: Infos) -> Composed | None:
    """Return a matrix times its scales; None if these do not fit."""
    shape, scales, parts = infos[name].shape, infos[scale].shape, [name, scale]
    blocks = _blocks(shape, scales, sizes)
    if blocks is None:
        return None
    zero_point = f"{name}_zero_point"
    if zero_point in infos and infos[zero_point].shape == scales:
        parts.append(zero_point)
    divisor = _LARGEST_INT8 if scale.endswith(".SCB") else 1

    def make(weight: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
        weight = weight.double()
        if zero is not None:
            weight.sub_(_spread(zero.double(), shape, blocks))
        return weight.mul_(_spread(_values(scale), shape, blocks)).div_(divisor)

    return Composed(name, shape, _how(infos[name], blocks), tuple(parts), make)


def _values(scales: Tensor) -> Tensor:
    if scales.dtype == torch.uint8:
        return torch.exp2(scales.double() - _EXPONENT_BIAS)
    return scales.double()


def _spread(scales: Tensor, shape: tuple[int, ...], blocks: tuple[int, ...]) -> Tensor:
    """Return scales repeated for all entries of their blocks, where there are several blocks."""
    scales = scales.reshape(*scales.shape, *(1,) * (len(shape) - scales.ndim))
    for axis, (length, block) in enumerate(zip(shape, blocks, strict=True)):
        if 1 < block < length:
            scales = scales.repeat_interleave(block, axis).narrow(axis, 0, length)
    return scales


def _how(info: TensorInfo, blocks: tuple[int, ...]) -> str:
    counts = [-(-length // block) for length, block in zip(info.shape, blocks, strict=True)]
    several = [one for one, count in zip(blocks, counts, strict=True) if count > 1]
    if not several:
        return f"{_kind(info)} with one scale"
    if all(one == 1 for one in several):
        return f"{_kind(info)} with a scale of each output"
    return f"{_kind(info)} with scales of blocks of {' x '.join(map(str, blocks))}"
