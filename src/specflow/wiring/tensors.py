"""From tensors to matrices: which tensors are none and why, and what lies transposed."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import torch

from specflow.errors import SpecflowError, some_of
from specflow.wiring.names import problem_of
from specflow.wiring.reasons import NO_ENTRIES
from specflow.wiring.view import View
from specflow.wiring.wiring import Matrix

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
MAX_DIMENSIONS = 5  # a 3-d convolution
EMPTY = (
    f"{NO_ENTRIES}: a ZeRO-3 state holds weights so where it was saved without gathering them; "
    "DeepSpeed's zero_to_fp32.py makes whole ones of its folder"
)

_NO_MATRICES = {
    "a table of position biases": re.compile(
        r".*(relative_position_bias_table|relative_attention_bias(\.weight)?|rel_pos_[hw])"
    ),
    "a bias (or causal mask)": re.compile(r"(.*[._])?bias(_.*)?|.*\.bias_.*"),
    "a mask": re.compile(r"(.*[._])?mask"),
    "tokens or positions": re.compile(r"(.*\.)?(\w+_token|\w+_tokens|pos_embed|probe|latents)"),
    "a norm": re.compile(
        r"(.*[._])?(\w*norms?(\d\w*)?(_\w+)?|ln(_\w+)?|bn\d*)\.weight", re.IGNORECASE
    ),
    "decay rates": re.compile(r"(.*\.)?A_log"),
}


@dataclass(frozen=True)
class TensorInfo:
    """Shape and dtype of a tensor."""

    shape: tuple[int, ...]
    dtype: torch.dtype


def whole_matrices(
    tensors: Mapping[str, TensorInfo], transposed: Sequence[str], conventional: Sequence[str]
) -> tuple[list[Matrix], dict[str, str]]:
    """Return the tensors that are matrices, in their order, and why each of the others is none.

    Args:
        tensors: Shape and dtype by name.
        transposed: Patterns of tensors whose inputs come first; each must match one.
        conventional: The same by convention; they need match none.

    Raises:
        SpecflowError: If a pattern of transposed tensors matches none.
    """
    matrices, skipped = [], {}
    for name, info in tensors.items():
        reason = _reason_to_skip(name, info)
        if reason is not None:
            skipped[name] = reason
            continue
        stem = name.removesuffix(".weight")
        short = name if stem in tensors or problem_of(stem) else stem
        inputs_first = matches_any((name, short), (*transposed, *conventional))
        matrices.append(Matrix(short, short, View(name, info.shape, transposed=inputs_first)))
    for pattern in transposed:
        if not any(matches_any(m.names, (pattern,)) for m in matrices):
            raise SpecflowError(f"transposed: {pattern!r} matches none of {counted(matrices)}")
    return matrices, skipped


def matches_any(names: Iterable[str], patterns: Sequence[str]) -> bool:
    """Return whether any of the names matches any of the patterns."""
    return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)


def counted(matrices: Sequence[Matrix]) -> str:
    """Return the number of matrices and the first names, for a message."""
    return f"the {len(matrices)} matrices {some_of(matrix.name for matrix in matrices)}"


def _reason_to_skip(name: str, info: TensorInfo) -> str | None:
    if info.dtype not in FLOATS:
        expected = ", ".join(_dtype_name(dtype) for dtype in FLOATS)
        return f"dtype {_dtype_name(info.dtype)}, none of {expected}"
    if 0 in info.shape:
        return f"{NO_ENTRIES}: shape {info.shape}"
    dimensions = len(info.shape)
    if dimensions == 0:
        return "a scalar"
    if dimensions == 1:
        return "one dimension: a norm, bias or buffer"
    for what, expression in _NO_MATRICES.items():
        if expression.fullmatch(name):
            return f"{what} of shape {info.shape}"
    if not name.endswith("weight") and dimensions == 3 and 1 in info.shape[:2]:
        return f"tokens or positions of shape {info.shape}"
    if dimensions > MAX_DIMENSIONS:
        return f"{dimensions} dimensions; expected 2 to {MAX_DIMENSIONS}"
    if 1 in (info.shape[0], math.prod(info.shape[1:])):
        return f"one row or column: shape {info.shape}"
    return None


def _dtype_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
