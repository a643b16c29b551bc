"""From names and shapes of tensors to the wiring of a checkpoint."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from specflow.params.suites import SuiteParams
from specflow.suites.architectures import Architecture, recognize
from specflow.suites.checkpoint import TensorInfo
from specflow.suites.declared_pairs import declared_pairs
from specflow.suites.errors import SuiteError
from specflow.suites.lstm_pairs import lstm_pairs, lstms_of, output_of
from specflow.suites.matrices import SuiteMatrix
from specflow.suites.neighbours import Neighbours
from specflow.suites.splitting import (
    Conventions,
    cut_declared,
    cut_recognized,
    is_any,
    whole_matrices,
)
from specflow.suites.transformer_pairs import anatomy_of, transformer_pairs
from specflow.suites.wiring import SuiteWiring


def wiring_of(tensors: Mapping[str, TensorInfo], params: SuiteParams) -> SuiteWiring:
    """Return the matrices and pairs of a checkpoint, from the names and shapes of its tensors.

    Args:
        tensors: Shape and dtype of every tensor by name.
        params: Layout, fusions, patterns and pairs.

    Returns:
        The wiring; every tensor is in `matrices` or in `skipped`.

    Raises:
        SuiteError: If nothing is left to analyse, a declared pattern matches nothing or does not
            fit, or the layout asked for is not the checkpoint's.
    """
    architecture = recognize(tensors, params.layout)
    conventions = architecture.conventions if architecture else Conventions()
    whole, skipped = whole_matrices(tensors, params, conventions)
    cut = cut_declared(whole, params.fused, params.num_heads)
    cut, notes = cut_recognized(cut, conventions.fused, params.num_heads)
    _check_distinct(cut)
    ordered, pairs = _recognized(cut, architecture, params.num_heads)
    left_out = _left_out(ordered, params)
    matrices = [matrix for matrix in ordered if matrix.name not in left_out]
    if not matrices:
        raise SuiteError(f"no matrix is left of {len(tensors)} tensors; expected one or more")
    known = _within(matrices, pairs)
    pairs = [pair for pair in known if pair.fit]
    pairs += declared_pairs(matrices, params.pairs)
    pairs = list({pair.label: pair for pair in pairs}.values())
    names = {matrix.name for matrix in matrices}
    parts = {m.name: m for pair in pairs for m in pair.matrices if m.name not in names}
    return SuiteWiring(
        matrices=tuple(matrices),
        pairs=tuple(pair.named() for pair in pairs),
        skipped=skipped | _by_parameter(ordered, left_out),
        parts=tuple(parts.values()),
        notes=(
            *notes,
            *_note_on_heads(matrices, params.num_heads),
            *_note_on_unfit(known),
            *(_note_on_stacks(matrices) if architecture else ()),
        ),
    )


def _check_distinct(matrices: Iterable[SuiteMatrix]) -> None:
    """Refuse a part that has the name of another tensor's matrix.

    Raises:
        SuiteError: With both.
    """
    seen: dict[str, SuiteMatrix] = {}
    for matrix in matrices:
        other = seen.setdefault(matrix.name, matrix)
        if other is not matrix:
            raise SuiteError(
                f"{matrix.parameter}, {other.parameter}: both have a matrix {matrix.name!r}; "
                "expected another name of the part in fused"
            )


def _within(matrices: Iterable[SuiteMatrix], pairs: Iterable[Neighbours]) -> list[Neighbours]:
    """Return the pairs that compare nothing but these matrices and parts of them."""
    kept: dict[str, list[SuiteMatrix]] = {}
    for matrix in matrices:
        kept.setdefault(matrix.parameter, []).append(matrix)
    return [
        pair
        for pair in pairs
        if all(any(m.holds(met) for m in kept.get(met.parameter, ())) for met in pair.matrices)
    ]


def _left_out(matrices: Iterable[SuiteMatrix], params: SuiteParams) -> dict[str, str]:
    reasons = {}
    for matrix in matrices:
        names = (matrix.parameter, matrix.name)
        if not is_any(names, params.include):
            reasons[matrix.name] = "not in include"
        elif is_any(names, params.exclude):
            reasons[matrix.name] = "in exclude"
    return reasons


def _by_parameter(matrices: Iterable[SuiteMatrix], left_out: Mapping[str, str]) -> dict[str, str]:
    """Return reasons by tensor where all of a tensor is left out, else by the part's name."""
    analysed = {m.parameter for m in matrices if m.name not in left_out}
    return {
        (m.name if m.parameter in analysed else m.parameter): left_out[m.name]
        for m in matrices
        if m.name in left_out
    }


def _recognized(
    matrices: Sequence[SuiteMatrix], architecture: Architecture | None, num_heads: int | None
) -> tuple[list[SuiteMatrix], list[Neighbours]]:
    """Return matrices, labelled and in order of depth, and the pairs of a known architecture."""
    if architecture is None:
        return list(matrices), []
    anatomy = anatomy_of(matrices, architecture)
    lstms = lstms_of(matrices) if architecture.name == "torch" else []
    output = output_of(matrices, lstms, architecture)
    pairs = transformer_pairs(anatomy, num_heads)
    pairs += [pair for lstm in lstms for pair in lstm_pairs(lstm, output)]
    anatomy = replace(anatomy, output=output or anatomy.output)
    inner = {m.name: m for lstm in lstms for m in lstm.values()}
    placed = {m.name for m in anatomy.in_order(inner.values())}
    others = [m for m in matrices if m.name not in placed]
    return anatomy.in_order([*inner.values(), *others]), pairs


def _note_on_heads(matrices: Iterable[SuiteMatrix], num_heads: int | None) -> list[str]:
    queries = [m.name for m in matrices if m.label.endswith(" query")]
    if num_heads is not None or not queries:
        return []
    return [f"num_heads is not given: {len(queries)} queries are not compared with their keys"]


def _note_on_stacks(matrices: Iterable[SuiteMatrix]) -> list[str]:
    """Note tensors that may hold several matrices (experts), which no rule cuts."""
    names = [m.name for m in matrices if len(m.remaining) == 3]
    if not names:
        return []
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return [
        f"{len(names)} tensors of three dimensions are read as convolutions (if they hold experts, "
        f"declare them in fused with split: null): {shown}"
    ]


def _note_on_unfit(pairs: Iterable[Neighbours]) -> list[str]:
    labels = [pair.label for pair in pairs if not pair.fit]
    if not labels:
        return []
    shown = ", ".join(labels[:3]) + (", ..." if len(labels) > 3 else "")
    return [f"dimensions do not meet in {len(labels)} pairs, which are not compared: {shown}"]
