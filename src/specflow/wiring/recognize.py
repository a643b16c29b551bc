"""From names and shapes of tensors to the wiring of checkpoints."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from glob import escape
from itertools import chain
from typing import Annotated

from pydantic import Field, model_validator

from specflow.errors import SpecflowError, number_of, some_of
from specflow.section import Count, Section, Text
from specflow.wiring.coverage import NoMatrixError, coverage
from specflow.wiring.declared import PairParams, declared_pairs
from specflow.wiring.fusion import FusionParams, cut_declared
from specflow.wiring.grouped import with_groups
from specflow.wiring.layout import Layout, layout_of
from specflow.wiring.reasons import EXCLUDED, NOT_INCLUDED
from specflow.wiring.stacks import Known
from specflow.wiring.structure import Structure
from specflow.wiring.tensors import TensorInfo, counted, matches_any, whole_matrices
from specflow.wiring.view import View
from specflow.wiring.vocabulary import MARKS, LayoutName
from specflow.wiring.wiring import Matrix, Pair, Wiring

Patterns = Annotated[tuple[Text, ...], Field(strict=False)]


class LayoutParams(Section):
    """What the tensors of checkpoints are, where names and shapes do not tell.

    Attributes:
        include: Patterns of tensors or matrices that are analysed.
        exclude: Patterns of those that are not.
        transposed: Patterns of tensors whose inputs come first: transposed convolutions, and
            matrices that are multiplied from the right.
        layout: Naming of the architecture; auto recognizes every stack of blocks by its own, none
            recognizes nothing, and another name says which one must be there.
        num_heads: Attention heads of a block, where neither the network nor its config.json tells;
            where it is not known, queries are not compared with keys, and what is interleaved by
            heads stays whole.
        fused: Further tensors that hold several matrices; a rule applies to what those before it
            made.
        pairs: Further neighbours.
    """

    include: Annotated[Patterns, Field(min_length=1)] = ("*",)
    exclude: Patterns = ()
    transposed: Patterns = ()
    layout: LayoutName = "auto"
    num_heads: Count | None = None
    fused: Annotated[tuple[FusionParams, ...], Field(strict=False)] = ()
    pairs: Annotated[tuple[PairParams, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _heads_are_known(self) -> "LayoutParams":
        if self.num_heads is None and any(rule.interleaved_by for rule in self.fused):
            raise ValueError("num_heads is null; expected a number, fused is interleaved by heads")
        return self


def wiring_of(
    tensors: Mapping[str, TensorInfo],
    params: LayoutParams,
    structure: Structure | None = None,
    unreadable: Mapping[str, str] | None = None,
) -> Wiring:
    """Return the matrices and pairs of checkpoints, from what is known of their tensors.

    Args:
        tensors: Shape and dtype of every tensor by name.
        params: Layout, fusions, patterns and pairs.
        structure: What is known beside names and shapes.
        unreadable: Why entries beside them are no tensors, by name.

    Returns:
        The wiring; every tensor is in `matrices` or in `skipped`.

    Raises:
        NoMatrixError: If nothing is left to analyse.
        SpecflowError: If a declared pattern matches nothing or does not fit, or the layout or
            the heads asked for are not those of the network.
    """
    structure, unreadable = structure or Structure(), unreadable or {}
    layout, skipped = _recognized(tensors, params, structure)
    _check_patterns({*tensors, *unreadable}, layout.matrices, params)
    left_out = _left_out(layout.matrices, params)
    matrices = [matrix for matrix in layout.matrices if matrix.name not in left_out]
    skipped |= _by_tensor(layout.matrices, left_out)
    if not matrices:
        raise NoMatrixError({**skipped, **unreadable})
    within = _within(matrices, layout.pairs)
    met = [pair for pair in within if pair.fits] + declared_pairs(matrices, params.pairs)
    pairs = tuple({pair.label: pair for pair in met}.values())
    once = {name: info for name, info in tensors.items() if name not in structure.tied}
    said = (*layout.said, *coverage(once, matrices, skipped, unreadable))
    return Wiring(
        matrices=tuple(matrices),
        pairs=pairs,
        skipped=skipped,
        notes=(*layout.notes, *_notes(matrices, within)),
        analysed=(*said, f"neighbours: {number_of(len(pairs), 'pair')}"),
    )


def _recognized(
    tensors: Mapping[str, TensorInfo], params: LayoutParams, structure: Structure
) -> tuple[Layout, dict[str, str]]:
    """Return the layout of all matrices, and why each of the other tensors is none."""
    _check_layout(tensors, params.layout)
    turned = [name for name, layer in structure.layers.items() if layer.inputs_first]
    own = {name: info for name, info in tensors.items() if name not in structure.tied}
    whole, skipped = whole_matrices(own, params.transposed, list(map(escape, turned)))
    skipped |= {n: f"tied: it is {o}" for n, o in structure.tied.items() if n in tensors}
    grouped, of_groups = with_groups(whole, tensors, structure)
    found = cut_declared(grouped, params.fused, params.num_heads)
    _check_distinct(found)
    known = Known(tensors, structure, params.num_heads, _turned(found, structure))
    is_asked_for = params.layout != "none"
    layout = layout_of(found, known) if is_asked_for else Layout(tuple(found))
    said = (f"structure: from {structure.source}", *layout.said)
    notes = (*of_groups, *layout.notes, *_no_heads(layout, params))
    return replace(layout, said=said, notes=notes), skipped


def _no_heads(layout: Layout, params: LayoutParams) -> Iterator[str]:
    """Yield that nothing has the heads that params ask for."""
    cut_by_heads = any(rule.interleaved_by for rule in params.fused)
    if params.num_heads is not None and not (layout.has_heads or cut_by_heads):
        got = f"num_heads: got {params.num_heads}"
        yield f"{got}, and no attention that was recognized has heads"


def _check_layout(tensors: Mapping[str, TensorInfo], layout: LayoutName) -> None:
    mark = MARKS.get(layout)
    if mark is not None and not any(re.fullmatch(mark, name) for name in tensors):
        raise SpecflowError(f"layout: got {layout!r}, but the tensors are {some_of(tensors)}")


def _turned(matrices: Iterable[Matrix], structure: Structure) -> frozenset[str]:
    """Return the tensors whose orientation is known: declared, or told by a module."""
    declared = {matrix.view.tensor for matrix in matrices if matrix.view.transposed}
    return frozenset(declared | structure.layers.keys())


def _check_distinct(matrices: Iterable[Matrix]) -> None:
    # A part may have the name of another tensor's matrix.
    seen: dict[str, Matrix] = {}
    for matrix in matrices:
        other = seen.setdefault(matrix.name, matrix)
        if other is not matrix:
            raise SpecflowError(
                f"{matrix.view.tensor}, {other.view.tensor}: both have a matrix {matrix.name!r}; "
                "expected another name of the part in fused"
            )


def _check_patterns(
    entries: Iterable[str], matrices: Sequence[Matrix], params: LayoutParams
) -> None:
    """Check that what is to be analysed, or left out, is there; it need not be a matrix.

    Raises:
        SpecflowError: If a pattern matches nothing.
    """
    names = {*entries, *chain.from_iterable(matrix.names for matrix in matrices)}
    for key, patterns in {"include": params.include, "exclude": params.exclude}.items():
        for pattern in patterns:
            if matrices and not matches_any(names, (pattern,)):
                raise SpecflowError(f"{key}: {pattern!r} matches none of {counted(matrices)}")


def _left_out(matrices: Iterable[Matrix], params: LayoutParams) -> dict[str, str]:
    reasons = {}
    for matrix in matrices:
        names = (matrix.view.tensor, *matrix.names)
        if not matches_any(names, params.include):
            reasons[matrix.name] = NOT_INCLUDED
        elif matches_any(names, params.exclude):
            reasons[matrix.name] = EXCLUDED
    return reasons


def _by_tensor(matrices: Iterable[Matrix], left_out: Mapping[str, str]) -> dict[str, str]:
    """Return reasons by tensor where all of a tensor is left out, else by the part's name."""
    analysed = {m.view.tensor for m in matrices if m.name not in left_out}
    return {
        (m.name if m.view.tensor in analysed else m.view.tensor): left_out[m.name]
        for m in matrices
        if m.name in left_out
    }


def _within(matrices: Iterable[Matrix], pairs: Iterable[Pair]) -> list[Pair]:
    """Return the pairs that compare nothing but these matrices and parts of them."""
    kept = defaultdict(list)
    for matrix in matrices:
        kept[matrix.view.tensor].append(matrix.view)

    def is_kept(view: View) -> bool:
        return any(whole.holds(view) for whole in kept[view.tensor])

    return [pair for pair in pairs if all(is_kept(view) for view in pair.views)]


def _notes(matrices: Sequence[Matrix], pairs: Iterable[Pair]) -> Iterator[str]:
    unfit = [pair.label for pair in pairs if not pair.fits]
    if unfit:
        shown = some_of(unfit, 3)
        yield f"dimensions do not meet in {len(unfit)} pairs, which are not compared: {shown}"
    stacks = [m.name for m in matrices if len(m.view.remaining) == 3 and "expert" in m.name]
    if stacks:
        yield (
            f"{len(stacks)} tensors of three dimensions are read as convolutions (if they hold "
            f"experts, declare them in fused with split: null): {some_of(stacks, 3)}"
        )
