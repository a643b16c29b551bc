"""Weights that are packed into integers of a few bits: named as quantized, never as matrices.

The grids of scales and zeros beside them look like weight matrices, and are none.
"""

import sys
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import torch

from specflow.checkpoints.base import Tensors
from specflow.checkpoints.effective.parts import Beside, Found
from specflow.checkpoints.effective.scaled import FLOAT8, INTEGERS
from specflow.checkpoints.state_dicts import QUANTIZED_DTYPES
from specflow.wiring.reasons import QUANTIZED

_PACKED = tuple(dtype for dtype in INTEGERS if dtype != torch.int8)  # int8 is one number each


@dataclass(frozen=True)
class _Format:
    """How a format names what it keeps of one weight.

    Attributes:
        name: The name of the format; empty where several have these names.
        packed: End of the name of the packed integers; what stands before it is the stem.
        marks: Patterns after the stem of which each must be there, for the name alone is common.
        sides: Patterns after the stem of what belongs to the packed integers.
        dtypes: Dtypes that packed integers may have.
    """

    name: str
    packed: str
    marks: tuple[str, ...]
    sides: tuple[str, ...]
    dtypes: tuple[torch.dtype, ...] = INTEGERS


_OF_BITSANDBYTES = (".absmax", ".quant_map", ".nested_*", ".quant_state.*")
_OF_TORCH = (".scale", ".zero_point")  # of what its layer puts out; its own lie within
_FORMATS = (
    _Format("torch", "._packed_params._packed_params.0", (), _OF_TORCH, QUANTIZED_DTYPES),
    _Format("torch", ".weight", (), _OF_TORCH, QUANTIZED_DTYPES),
    _Format("torch", "", (), (), QUANTIZED_DTYPES),
    _Format("GPTQ", ".qweight", (".g_idx",), (".qzeros", ".scales", ".g_idx")),
    _Format("AWQ", ".qweight", (".qzeros", ".scales"), (".qzeros", ".scales")),
    _Format("", ".qweight", (), (".qzeros", ".scales", ".*_scales", ".qparams*")),
    _Format("bitsandbytes, 4 bits", "", (".absmax",), _OF_BITSANDBYTES),
    _Format("HQQ", ".W_q", (), (".scale*", ".zero*", ".meta*")),
    _Format(
        "compressed-tensors", ".weight_packed", (), (".weight_*", ".input_*scale", ".output_*scale")
    ),
    _Format("NVFP4", ".weight", (".weight_scale_2",), (".weight_scale*", ".input_scale")),
    _Format("MXFP4", "_blocks", ("_scales",), ("_scales",), (torch.uint8,)),
    _Format("torchao", "qdata", ("scale*",), ("scale*", "zero_point"), (*INTEGERS, *FLOAT8)),
    _Format("quanto", "._data", ("._scale",), ("._scale", "._shift", "._zeropoint")),
    _Format("AQLM", ".codes", (".codebooks",), (".codebooks", ".scales")),
    _Format("EXL2", ".q_weight", (), (".q_*",)),
    _Format("EXL3", ".trellis", (), (".su", ".sv", ".suh", ".svh", ".mcg", ".mul1")),
    _Format("QuIP#", ".Qidxs", (), (".SU", ".SV", ".Wscale", ".codebook_id")),
    _Format("VPTQ", ".indices", (".*centroids.weight",), (".*centroids.weight", ".weight_*")),
    _Format("", ".weight", (".scales",), (".scales", ".biases", ".zeros", ".tables*", ".qmap*")),
    _Format("EETQ", ".weight", (".weight_scales",), (".weight_scales",)),
    _Format("", ".weight", (".weight_scale",), (".weight_scale", ".weight_zero_point"), _PACKED),
)


def packed_weights(tensors: Tensors, beside: Beside) -> Found:
    """Find what quantized formats keep: packed integers, and their scales, zeros and maps."""
    infos, names = tensors.infos, sorted(tensors.infos)
    skipped: dict[str, str] = {}
    quantized: dict[str, str] = {}
    for name, info in infos.items():
        if name in skipped or info.dtype not in (*INTEGERS, *FLOAT8, *QUANTIZED_DTYPES):
            continue
        for form in _FORMATS:
            sides = _sides(name, info.dtype, form, names)
            if sides is not None:
                kind = form.name or _told(beside) or "integers with scales"
                skipped[name] = f"{QUANTIZED}, {kind}: packed integers"
                skipped |= dict.fromkeys(sides, f"{QUANTIZED}, {kind}: scales and maps")
                quantized |= dict.fromkeys((name, *sides), kind)
                break
    return Found((), skipped, quantized)


def _sides(name: str, dtype: torch.dtype, form: _Format, names: Sequence[str]) -> list[str] | None:
    """Return what belongs to packed integers; None if they are none of this format."""
    if dtype not in form.dtypes or not name.endswith(form.packed):
        return None
    stem = name[: len(name) - len(form.packed)]
    alike = _starting_with(stem, names)
    if not all(any(_matches(one, stem, mark) for one in alike) for mark in form.marks):
        return None
    sides = [one for one in alike if any(_matches(one, stem, side) for side in form.sides)]
    return [one for one in sides if one != name]


def _starting_with(stem: str, names: Sequence[str]) -> Sequence[str]:
    """Return the names that start with a stem, of sorted ones."""
    return names[bisect_left(names, stem) : bisect_left(names, f"{stem}{chr(sys.maxunicode)}")]


def _matches(name: str, stem: str, pattern: str) -> bool:
    return fnmatchcase(name[len(stem) :], pattern)


def _told(beside: Beside) -> str | None:
    """Return what config.json calls the format."""
    quantization = (beside("config.json") or {}).get("quantization_config")
    method = quantization.get("quant_method") if isinstance(quantization, dict) else None
    return method if isinstance(method, str) and method.isprintable() else None
