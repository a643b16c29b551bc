"""Tensors that hold several matrices: query, key and value, gate and up, experts."""

import re
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from specflow.errors import SpecflowError
from specflow.section import Count, Section, Text
from specflow.wiring.tensors import counted, matches_any
from specflow.wiring.view import Cut
from specflow.wiring.wiring import Matrix

_TEXT = re.compile(r"(?P<match>.+)=(?P<parts>[^=@/]+)(?:@(?P<axis>[0-9]))?(?P<heads>/heads)?")
_PART = re.compile(r"(\w+)(?::([0-9]{1,9}))?")


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError("expected names, each once")
    return names


class FusionParams(Section):
    """How a tensor that holds several matrices is cut into them.

    Attributes:
        match: Pattern of the matrices that are cut, with `*` for any text.
        split: Names of the parts in their order; null makes a matrix, named by its number from 0,
            of every entry of a dimension that it then has no more (experts).
        axis: The dimension of the tensor, as it lies in the file, along which it is cut.
        shares: Relative sizes of the parts; null means that all are of one size.
        interleaved_by: "heads" if the dimension is first cut in `num_heads` heads and each of them
            holds all parts (GPT-NeoX); null if the parts follow each other.
    """

    match: Text
    split: (
        Annotated[
            tuple[Annotated[str, Field(pattern=r"^\w+$")], ...],
            Field(strict=False, min_length=2),
            AfterValidator(_distinct),
        ]
        | None
    )
    axis: Annotated[int, Field(ge=0, le=4)] = 0
    shares: Annotated[tuple[Count, ...], Field(strict=False)] | None = None
    interleaved_by: Literal["heads"] | None = None

    @model_validator(mode="after")
    def _fits(self) -> "FusionParams":
        if self.split is None and (self.shares or self.interleaved_by):
            raise ValueError("split is null; expected neither shares nor interleaved_by")
        if self.shares and self.split and len(self.shares) != len(self.split):
            raise ValueError(
                f"{len(self.shares)} shares of {len(self.split)} parts; expected one for each"
            )
        return self


def fusion_of(text: str) -> dict[str, Any]:
    """Return the fusion, as in `FusionParams`, that one line of text says.

    That is `MATCH=PART,PART,...`, or `MATCH=*` for a matrix of each entry; `:SHARE` after each
    part, `@AXIS` and `/heads` (interleaved by heads) at the end say the rest.

    >>> fusion_of("*.qkv=q:4,k:1,v:1@1")
    {'match': '*.qkv', 'split': ['q', 'k', 'v'], 'axis': 1, 'shares': [4, 1, 1]}

    Raises:
        SpecflowError: If it is none.
    """
    match = _TEXT.fullmatch(text)
    parts = [_PART.fullmatch(part) for part in match["parts"].split(",")] if match else []
    shares = [int(part[2]) for part in parts if part and part[2]]
    is_whole = match is not None and match["parts"] == "*"
    if match is None or not (is_whole or (all(parts) and len(shares) in (0, len(parts)))):
        expected = "'*.qkv=q,k,v', '*.qkv=q:4,k:1,v:1@1', '*.qkv=q,k,v/heads' or '*.experts.w1=*'"
        raise SpecflowError(f"fused: got {text!r}; expected a pattern and its parts, as {expected}")
    return {
        "match": match["match"],
        "split": None if is_whole else [part[1] for part in parts if part],
        **({"axis": int(match["axis"])} if match["axis"] else {}),
        **({"shares": shares} if shares else {}),
        **({"interleaved_by": "heads"} if match["heads"] else {}),
    }


def cut_declared(
    matrices: Sequence[Matrix], rules: Iterable[FusionParams], num_heads: int | None
) -> Sequence[Matrix]:
    """Return matrices with declared fusions, one after the other, cut into their parts.

    Raises:
        SpecflowError: If a rule matches nothing or does not fit what it matches.
    """
    for rule in rules:
        matches = {m.name for m in matrices if matches_any(m.names, (rule.match,))}
        if not matches:
            raise SpecflowError(f"fused: {rule.match!r} matches none of {counted(matrices)}")
        matrices = _with_parts(matrices, matches, rule, num_heads)
    return matrices


def _with_parts(
    matrices: Sequence[Matrix], names: set[str], rule: FusionParams, num_heads: int | None
) -> list[Matrix]:
    """Return matrices, those of some names cut."""
    cut = (_parts(m, rule, num_heads) if m.name in names else [m] for m in matrices)
    return [part for parts in cut for part in parts]


def _parts(matrix: Matrix, rule: FusionParams, num_heads: int | None) -> list[Matrix]:
    try:
        cuts = _cuts(rule, matrix.view.remaining, num_heads)
    except ValueError as error:
        words = "entries" if rule.split is None else ", ".join(rule.split)
        raise SpecflowError(f"{matrix.name}: cannot be split in {words}: {error}") from error
    return [matrix.part(name, cut) for name, cut in cuts.items()]


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
