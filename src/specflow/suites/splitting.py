"""From tensors to matrices: what is none, what lies transposed, what holds several."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import accumulate

import torch

from specflow.params.suites import FusionParams, SuiteParams
from specflow.suites.checkpoint import TensorInfo
from specflow.suites.errors import SuiteError
from specflow.suites.matrices import Cut, SuiteMatrix
from specflow.suites.names import problem_of

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
MAX_DIMENSIONS = 5  # a 3-d convolution


@dataclass(frozen=True)
class Conventions:
    """How the tensors of an architecture lie in its files.

    Attributes:
        fused: Tensors that hold several matrices.
        transposed: Patterns of those whose inputs come first.
    """

    fused: tuple[FusionParams, ...] = ()
    transposed: tuple[str, ...] = ()


def whole_matrices(
    tensors: Mapping[str, TensorInfo], params: SuiteParams, conventions: Conventions
) -> tuple[list[SuiteMatrix], dict[str, str]]:
    """Return every tensor that is a matrix, and why the others are none.

    Args:
        tensors: Shape and dtype by name.
        params: Patterns of transposed tensors.
        conventions: The architecture's own.

    Returns:
        Matrices in the order of the tensors, not yet cut; and the reason of each other tensor.

    Raises:
        SuiteError: If a pattern of transposed tensors matches none.
    """
    matrices, skipped = [], {}
    for name, info in tensors.items():
        reason = _reason_to_skip(name, info)
        if reason is not None:
            skipped[name] = reason
            continue
        stem = name.removesuffix(".weight")
        short = name if stem in tensors or problem_of(stem) else stem
        transposed = is_any((name, short), (*params.transposed, *conventions.transposed))
        matrices.append(SuiteMatrix(short, short, name, info.shape, transposed=transposed))
    for pattern in params.transposed:
        if not any(is_any((m.parameter, m.name), (pattern,)) for m in matrices):
            raise SuiteError(f"transposed: {pattern!r} matches none of {_some(matrices)}")
    return matrices, skipped


def cut_declared(
    matrices: Sequence[SuiteMatrix], rules: Iterable[FusionParams], num_heads: int | None
) -> list[SuiteMatrix]:
    """Return matrices with declared fusions cut into their parts.

    Args:
        matrices: What there is.
        rules: The fusions, applied one after the other.
        num_heads: Attention heads, where a rule is interleaved by them.

    Returns:
        The parts in place of what was cut, and all others.

    Raises:
        SuiteError: If a rule matches nothing or does not fit what it matches.
    """
    found = list(matrices)
    for rule in rules:
        matches = {m.name for m in found if fnmatchcase(m.name, rule.match)}
        if not matches:
            raise SuiteError(f"fused: {rule.match!r} matches none of {_some(found)}")
        found = [
            part for m in found for part in (cut(m, rule, num_heads) if m.name in matches else [m])
        ]
    return found


def cut_recognized(
    matrices: Sequence[SuiteMatrix], rules: Iterable[FusionParams], num_heads: int | None
) -> tuple[list[SuiteMatrix], list[str]]:
    """Return matrices with an architecture's fusions cut, and a note on those left whole.

    What is interleaved by heads stays whole as long as `num_heads` is not known.

    Raises:
        SuiteError: If a rule does not fit what it matches.
    """
    found, notes = list(matrices), []
    for rule in rules:
        matches = {m.name for m in found if fnmatchcase(m.name, rule.match) and not m.cuts}
        if matches and rule.interleaved_by is not None and num_heads is None:
            notes.append(
                f"{rule.match} is interleaved by heads and num_heads is not given: "
                f"{len(matches)} matrices stay whole"
            )
            continue
        found = [
            part for m in found for part in (cut(m, rule, num_heads) if m.name in matches else [m])
        ]
    return found, notes


def cut(matrix: SuiteMatrix, rule: FusionParams, num_heads: int | None) -> list[SuiteMatrix]:
    """Return the parts of one matrix.

    Raises:
        SuiteError: If the rule does not fit the shape of its tensor.
    """
    try:
        cuts = _cuts(rule, matrix.remaining, num_heads)
    except ValueError as error:
        words = "entries" if rule.split is None else ", ".join(rule.split)
        raise SuiteError(f"{matrix.name}: cannot be split in {words}: {error}") from error
    return [matrix.part(name, f"{matrix.label} {name}", part) for name, part in cuts.items()]


def is_any(names: Iterable[str], patterns: Iterable[str]) -> bool:
    """Return whether any of the names matches any of the patterns."""
    patterns = tuple(patterns)
    return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)


def _cuts(rule: FusionParams, shape: tuple[int, ...], num_heads: int | None) -> dict[str, Cut]:
    """Return the cut of every part.

    Raises:
        ValueError: If the shape cannot be cut so.
    """
    if rule.axis >= len(shape):
        raise ValueError(f"shape {shape} has no dimension {rule.axis}")
    if rule.split is None:
        if len(shape) == 2:
            raise ValueError(f"those of shape {shape} are vectors")
        count = shape[rule.axis]
        return {str(i): Cut(rule.axis, i, i + 1, count, dropped=True) for i in range(count)}
    groups = num_heads if rule.interleaved_by else 1
    assert groups is not None, "params are checked"
    shares = rule.shares or (1,) * len(rule.split)
    ends = list(accumulate(shares))
    cuts = {
        name: Cut(rule.axis, end - share, end, ends[-1], groups)
        for name, share, end in zip(rule.split, shares, ends, strict=True)
    }
    for part in cuts.values():
        part.shape_of(shape)
    return cuts


def _reason_to_skip(name: str, info: TensorInfo) -> str | None:
    if info.dtype not in FLOATS:
        expected = ", ".join(_dtype_name(dtype) for dtype in FLOATS)
        return f"dtype {_dtype_name(info.dtype)}, none of {expected}"
    dimensions = len(info.shape)
    if dimensions == 0:
        return "a scalar"
    if dimensions == 1:
        return "one dimension: a norm, bias or buffer"
    if re.fullmatch(r"bias|.*_bias|bias_.*", name.rsplit(".", 1)[-1]):
        return f"a bias (or causal mask) of shape {info.shape}"
    if 0 in info.shape:
        return f"no entries: shape {info.shape}"
    if dimensions > MAX_DIMENSIONS:
        return f"{dimensions} dimensions; expected 2 to {MAX_DIMENSIONS}"
    return None


def _dtype_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _some(matrices: Sequence[SuiteMatrix]) -> str:
    shown = ", ".join(matrix.name for matrix in matrices[:10])
    return f"the {len(matrices)} matrices {shown}{', ...' if len(matrices) > 10 else ''}"
