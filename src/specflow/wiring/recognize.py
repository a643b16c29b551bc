"""From names and shapes of tensors to the wiring of checkpoints."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from glob import escape
from typing import Annotated

from pydantic import Field, model_validator

from specflow.errors import SpecflowError
from specflow.section import Count, Section, Text
from specflow.wiring.architectures import Architecture, LayoutName, blocks_of, recognize
from specflow.wiring.declared import PairParams, declared_pairs
from specflow.wiring.fusion import FusionParams, cut_declared, cut_recognized
from specflow.wiring.lstm import lstm_pairs, lstms_of, reads_states
from specflow.wiring.names import some_of
from specflow.wiring.tensors import EMPTY, TensorInfo, matches_any, whole_matrices
from specflow.wiring.transformer import transformer_pairs
from specflow.wiring.view import View
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


class NoMatrixError(SpecflowError):
    """There is nothing that has a spectrum."""

    def __init__(self, tensors: Mapping[str, TensorInfo]) -> None:
        """Say of how many tensors, and how many of these are empty."""
        empty = sum(0 in info.shape for info in tensors.values())
        why = f" ({empty} have {EMPTY})" if empty else ""
        super().__init__(f"no matrix is left of {len(tensors)} tensors{why}; expected one or more")


def wiring_of(
    tensors: Mapping[str, TensorInfo], params: LayoutParams, inputs_first: Iterable[str] = ()
) -> Wiring:
    """Return the matrices and pairs of checkpoints, from the names and shapes of their tensors.

    Args:
        tensors: Shape and dtype of every tensor by name.
        params: Layout, fusions, patterns and pairs.
        inputs_first: Tensors that are known to lie transposed, whether they are there or not.

    Returns:
        The wiring; every tensor is in `matrices` or in `skipped`.

    Raises:
        NoMatrixError: If nothing is left to analyse.
        SpecflowError: If a declared pattern matches nothing or does
            not fit, or the layout asked for is not that of the tensors.
    """
    architecture = recognize(tensors, params.layout)
    conventional = [*(architecture.transposed if architecture else ()), *map(escape, inputs_first)]
    whole, skipped = whole_matrices(tensors, params.transposed, conventional)
    found = cut_declared(whole, params.fused, params.num_heads)
    notes: list[str] = []
    if architecture and architecture.fused:
        found, notes = cut_recognized(found, architecture.fused, params.num_heads)
    _check_distinct(found)
    pairs: list[Pair] = []
    if architecture:
        found, pairs = _recognized(found, architecture, params.num_heads)
    left_out = _left_out(found, params)
    matrices = [matrix for matrix in found if matrix.name not in left_out]
    if not matrices:
        raise NoMatrixError(tensors)
    known = _within(matrices, pairs)
    met = [pair for pair in known if pair.fits] + declared_pairs(matrices, params.pairs)
    notes += _notes(matrices, known, params.num_heads, architecture)
    return Wiring(
        matrices=tuple(matrices),
        pairs=tuple({pair.label: pair for pair in met}.values()),
        skipped=skipped | _by_tensor(found, left_out),
        notes=tuple(notes),
    )


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


def _recognized(
    matrices: Sequence[Matrix], architecture: Architecture, num_heads: int | None
) -> tuple[list[Matrix], list[Pair]]:
    """Return matrices, labelled and in order of depth, and their pairs.

    Embedding and output are known where there is one of them, and one stack of blocks or one LSTM.
    """
    blocks = blocks_of(matrices, architecture)
    lstms = lstms_of(matrices) if architecture.name == "torch" else []
    output = _only(matrices, architecture.outputs, "output")
    embedding = positions = last = above = None
    if len({block.stack for block in blocks if block.index is not None}) == 1:
        embedding = _only(matrices, architecture.embeddings, "embedding")
        positions = _only(matrices, architecture.positions, "positions")
        last = output
    if len(lstms) == 1 and output is not None and reads_states(output, lstms[0]):
        above = output
    reads_last = embedding if last is None and architecture.tied else last
    pairs = transformer_pairs(blocks, embedding, reads_last, num_heads)
    pairs += [pair for lstm in lstms for pair in lstm_pairs(lstm, above)]

    first = [m for m in (embedding, positions) if m is not None]
    inner = [m for block in blocks for m in block.matrices.values()]
    inner += [m for lstm in lstms for m in lstm.values()]
    end = [m for m in (last or above,) if m is not None]
    placed = {m.name for m in (*first, *inner, *end)}
    others = [m for m in matrices if m.name not in placed]
    return [*first, *inner, *others, *end], pairs


def _only(matrices: Iterable[Matrix], names: Iterable[str], role: str) -> Matrix | None:
    """Return the one matrix whose name ends in one of some names, labelled by its role."""
    found = [matrix for matrix in matrices if matrix.name.rsplit(".", 1)[-1] in names]
    return replace(found[0], label=role, role=role) if len(found) == 1 else None


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
    kept = defaultdict(list)
    for matrix in matrices:
        kept[matrix.view.tensor].append(matrix.view)

    def is_kept(view: View) -> bool:
        return any(whole.holds(view) for whole in kept[view.tensor])

    return [pair for pair in pairs if all(is_kept(view) for view in pair.views)]


def _notes(
    matrices: Sequence[Matrix],
    pairs: Iterable[Pair],
    num_heads: int | None,
    architecture: Architecture | None,
) -> Iterator[str]:
    queries = sum(matrix.role == "query" for matrix in matrices)
    if queries and num_heads is None:
        yield f"num_heads is not given: {queries} queries are not compared with their keys"
    unfit = [pair.label for pair in pairs if not pair.fits]
    if unfit:
        shown = some_of(unfit, 3)
        yield f"dimensions do not meet in {len(unfit)} pairs, which are not compared: {shown}"
    stacks = [matrix.name for matrix in matrices if len(matrix.view.remaining) == 3]
    if stacks and architecture:
        yield (
            f"{len(stacks)} tensors of three dimensions are read as convolutions (if they hold "
            f"experts, declare them in fused with split: null): {some_of(stacks, 3)}"
        )
