"""From names and shapes of tensors to the wiring of checkpoints."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated

from pydantic import Field, model_validator

from specflow.errors import SpecflowError
from specflow.section import Count, Section, Text
from specflow.wiring.anatomy import anatomy_of, ending_in
from specflow.wiring.architectures import Architecture, LayoutName, recognize
from specflow.wiring.declared import PairParams, declared_pairs
from specflow.wiring.fusion import FusionParams, cut_declared, cut_recognized
from specflow.wiring.lstm import lstm_pairs, lstms_of, output_of
from specflow.wiring.names import some_of
from specflow.wiring.tensors import TensorInfo, matches_any, whole_matrices
from specflow.wiring.transformer import transformer_pairs
from specflow.wiring.wiring import Matrix, Pair, Wiring

Patterns = Annotated[tuple[Text, ...], Field(strict=False)]


class LayoutParams(Section):
    """What the tensors of checkpoints are, where names and shapes do not tell.

    Attributes:
        include: Patterns of tensors or matrices that are analysed.
        exclude: Patterns of those that are not.
        transposed: Patterns of tensors whose inputs come first: transposed convolutions, and
            matrices that are multiplied from the right.
        layout: Naming of the architecture; auto recognizes it.
        num_heads: Attention heads of a block; null where it is not known: queries are then not
            compared with keys, and what is interleaved by heads stays whole.
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


def wiring_of(tensors: Mapping[str, TensorInfo], params: LayoutParams) -> Wiring:
    """Return the matrices and pairs of checkpoints, from the names and shapes of their tensors.

    Args:
        tensors: Shape and dtype of every tensor by name.
        params: Layout, fusions, patterns and pairs.

    Returns:
        The wiring; every tensor is in `matrices` or in `skipped`.

    Raises:
        SpecflowError: If nothing is left to analyse, a declared pattern matches nothing or does
            not fit, or the layout asked for is not that of the tensors.
    """
    architecture = recognize(tensors, params.layout)
    conventional = architecture.transposed if architecture else ()
    whole, skipped = whole_matrices(tensors, params.transposed, conventional)
    cut = cut_declared(whole, params.fused, params.num_heads)
    fused = architecture.fused if architecture else ()
    cut, notes = cut_recognized(cut, fused, params.num_heads)
    _check_distinct(cut)
    ordered, pairs = _recognized(cut, architecture, params.num_heads)
    left_out = _left_out(ordered, params)
    matrices = [matrix for matrix in ordered if matrix.name not in left_out]
    if not matrices:
        raise SpecflowError(f"no matrix is left of {len(tensors)} tensors; expected one or more")
    known = _within(matrices, pairs)
    met = [pair for pair in known if pair.fits] + declared_pairs(matrices, params.pairs)
    return Wiring(
        matrices=tuple(matrices),
        pairs=tuple({pair.label: pair for pair in met}.values()),
        skipped=skipped | _by_tensor(ordered, left_out),
        notes=(
            *notes,
            *_note_on_heads(matrices, params.num_heads),
            *_note_on_unfit(known),
            *(_note_on_stacks(matrices) if architecture else ()),
        ),
    )


def _check_distinct(matrices: Iterable[Matrix]) -> None:
    """Refuse a part that has the name of another tensor's matrix.

    Raises:
        SpecflowError: With both.
    """
    seen: dict[str, Matrix] = {}
    for matrix in matrices:
        other = seen.setdefault(matrix.name, matrix)
        if other is not matrix:
            raise SpecflowError(
                f"{matrix.view.tensor}, {other.view.tensor}: both have a matrix {matrix.name!r}; "
                "expected another name of the part in fused"
            )


def _recognized(
    matrices: Sequence[Matrix], architecture: Architecture | None, num_heads: int | None
) -> tuple[list[Matrix], list[Pair]]:
    """Return matrices, labelled and in order of depth, and the pairs of a known architecture."""
    if architecture is None:
        return list(matrices), []
    anatomy = anatomy_of(matrices, architecture)
    lstms = lstms_of(matrices) if architecture.name == "torch" else []
    last = anatomy.embedding if anatomy.tied else anatomy.output
    pairs = transformer_pairs(anatomy.blocks, anatomy.embedding, last, num_heads)
    output = output_of(lstms, ending_in(matrices, architecture.outputs))
    pairs += [pair for lstm in lstms for pair in lstm_pairs(lstm, output)]
    anatomy = replace(anatomy, output=output or anatomy.output)
    inner = {m.name: m for lstm in lstms for m in lstm.values()}
    placed = {m.name for m in anatomy.in_order(inner.values())}
    others = [m for m in matrices if m.name not in placed]
    return anatomy.in_order([*inner.values(), *others]), pairs


def _left_out(matrices: Iterable[Matrix], params: LayoutParams) -> dict[str, str]:
    reasons = {}
    for matrix in matrices:
        names = (matrix.view.tensor, matrix.name)
        if not matches_any(names, params.include):
            reasons[matrix.name] = "not in include"
        elif matches_any(names, params.exclude):
            reasons[matrix.name] = "in exclude"
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
    kept: dict[str, list[Matrix]] = {}
    for matrix in matrices:
        kept.setdefault(matrix.view.tensor, []).append(matrix)
    return [
        pair
        for pair in pairs
        if all(any(m.view.holds(view) for m in kept.get(view.tensor, ())) for view in pair.views)
    ]


def _note_on_heads(matrices: Iterable[Matrix], num_heads: int | None) -> list[str]:
    queries = [matrix for matrix in matrices if matrix.role == "query"]
    if num_heads is not None or not queries:
        return []
    return [f"num_heads is not given: {len(queries)} queries are not compared with their keys"]


def _note_on_unfit(pairs: Iterable[Pair]) -> list[str]:
    labels = [pair.label for pair in pairs if not pair.fits]
    if not labels:
        return []
    shown = some_of(labels, 3)
    return [f"dimensions do not meet in {len(labels)} pairs, which are not compared: {shown}"]


def _note_on_stacks(matrices: Iterable[Matrix]) -> list[str]:
    """Note tensors that may hold several matrices (experts), which no rule cuts."""
    names = [matrix.name for matrix in matrices if len(matrix.view.remaining) == 3]
    if not names:
        return []
    return [
        f"{len(names)} tensors of three dimensions are read as convolutions (if they hold experts, "
        f"declare them in fused with split: null): {some_of(names, 3)}"
    ]
