"""Two models side by side: behind `specflow compare` and `specflow.compare`."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from specflow.analysis.folder import alone_in, name_of, write_tables
from specflow.analysis.sources import Source, opened, params_of
from specflow.checkpoints.base import Checkpoints, Tensors
from specflow.checkpoints.effective.tensors import Effective, quantized_part
from specflow.checkpoints.files import FileCheckpoints
from specflow.checkpoints.network import differing_keys
from specflow.checkpoints.prefixes import prefixes_between, renamed
from specflow.checkpoints.wrappers import Renamed
from specflow.errors import SpecflowError, printable, some_of
from specflow.executor import num_workers
from specflow.measure.comparison import compare_tensors
from specflow.outputs import check_output, note_written
from specflow.studies.two_models import TwoModels, share
from specflow.wiring import Wiring
from specflow.wiring.coverage import MERGED, how_read
from specflow.wiring.tensors import FLOATS

_SHOWN = 20  # matrices on the terminal
_OF_MATRICES = ("include", "exclude", "transposed", "fused", "pairs")  # which are those of A
_FEW = 5  # keys in a sentence
_TERMINAL = {
    "label": "matrix",
    "size": "size",
    "relative_change": "change",
    "grown": "|B|/|A|",
    "agreement_score": "agree",
    "null_agreement": "null",
    "stable_rank_a": "stable rank A",
    "stable_rank_b": "B",
    "stable_rank_difference": "B-A",
    "rank_difference": "rank of B-A",
}
_GROUPED = {
    "matrices": "matrices",
    "median_change": "median change",
    "most_change": "most",
    "agreement": "agree",
    "most_rank": "rank of B-A, most",
}


def compare_models(
    a: Source, b: Source, options: Mapping[str, Any], output: Path | None = None
) -> TwoModels:
    """Compare two models, the last step of each source.

    Args:
        a: Files, folders or patterns, relative to the working folder, or weights in memory; of
            text like "1000=run.h5" that step.
        b: Likewise; its tensors have the names of those of A.
        options: How both are read, as in `ReadingParams`; patterns are of names in A.
        output: Folder for tables, figures and a page; None keeps none.

    Raises:
        SpecflowError: If a source cannot be read as asked, the two have no matrix in common, or a
            result cannot be written.
    """
    if output is not None:
        check_output(output)
    first, wiring = opened(a, params_of(a, options))
    others = {key: value for key, value in options.items() if key not in _OF_MATRICES}
    second, other = opened(b, params_of(b, others))
    with ExitStack() as stack:
        tensors_a, tensors_b = (_last(one, stack) for one in (first, second))
        read = [*_how_read("A", tensors_a), *_how_read("B", tensors_b)]
        prefixes = prefixes_between(tensors_a.infos, tensors_b.infos)
        names = renamed([*tensors_b.infos, *tensors_b.skipped], tensors_a.infos, prefixes)
        tensors_b = Renamed(tensors_b, names)
        _check_common(first, second, wiring, tensors_b.infos)
        total = sum(name in tensors_b.infos for name in tensors_a.infos)
        with tqdm(total=total, desc="compare", unit="tensor", disable=None) as bar:
            compared = compare_tensors(
                tensors_a, tensors_b, wiring.matrices, bar.update, num_workers()
            )
    name = "comparison" if output is None else name_of(output)
    reasons = {names.get(name, name): why for name, why in other.skipped.items()}
    skipped = {**reasons, **wiring.skipped}
    notes = (*read, *_configs(first, second))
    found = TwoModels(name, _place(first), _place(second), compared, skipped, prefixes, notes)
    if output is not None:
        _write(found, options, output)
    return found


def _last(checkpoints: Checkpoints, stack: ExitStack) -> Tensors:
    return stack.enter_context(checkpoints.open(len(checkpoints.steps) - 1))


def _place(checkpoints: Checkpoints) -> str:
    """Return where the step is that is compared, and which it is of several."""
    last = checkpoints.steps[-1]
    return f"{last.place}, step {last.number}" if len(checkpoints.steps) > 1 else last.place


def _how_read(which: str, tensors: Tensors) -> list[str]:
    """Return what the audit says of a model that is read otherwise than it lies in its file."""
    composed = tensors.composed if isinstance(tensors, Effective) else {}
    said = [*how_read(composed, tensors.skipped), quantized_part(tensors)]
    return [f"{which}: {one}" for one in said if one is not None]


def _configs(a: Checkpoints, b: Checkpoints) -> list[str]:
    """Return in what the config.json of both differ: one network may apply weights otherwise."""
    files = [one for one in (a, b) if isinstance(one, FileCheckpoints)]
    differing = differing_keys(*(one.config() for one in files)) if len(files) > 1 else []
    return [f"Their config.json differ in: {some_of(differing, _FEW)}."] if differing else []


def _check_common(a: Checkpoints, b: Checkpoints, wiring: Wiring, infos: Mapping[str, Any]) -> None:
    """Check that some matrix is in both.

    Raises:
        SpecflowError: If none is.
    """
    own = {matrix.view.tensor: matrix.view.shape for matrix in wiring.matrices}
    there = {n: info.shape for n, info in infos.items() if info.dtype in FLOATS}
    if not any(there.get(name) == shape for name, shape in own.items()):
        alone = [_place(one) for one, names in ((a, own), (b, infos)) if _are_of_adapter(names)]
        hint = f"; {alone[0]} is an adapter alone: {MERGED}" if len(alone) == 1 else ""
        raise SpecflowError(
            f"{_place(a)}, {_place(b)}: no matrix of one name and shape is in "
            f"both; the first has {some_of(own, 3)}; the second {some_of(infos, 3)}; expected two "
            f"models of one network{hint}"
        )


def _are_of_adapter(names: Iterable[str]) -> bool:
    """Return whether tensors are what LoRA adds, as `Effective` names it, without its base."""
    return any(name.endswith(".lora") for name in names)


def _write(found: TwoModels, options: Mapping[str, Any], output: Path) -> None:
    from specflow.figures.draw import draw_comparison  # here, since a table alone draws nothing
    from specflow.figures.section import FiguresParams
    from specflow.report.comparison import write_comparison_page

    note, place = partial(note_written, output), output / "figures"
    with alone_in(output):
        write_tables(output, found.tables)
        drawn = draw_comparison(output / "tables", place, FiguresParams(), found.name, note)
        write_comparison_page(output, found, options, drawn)


def text_of(found: TwoModels, *, every: bool) -> str:
    """Return what the terminal shows: sentences, the matrices that moved most, and summaries.

    Args:
        found: The comparison.
        every: Whether all matrices are shown, or the first 20.
    """
    parts = [f"A: {found.a}\nB: {found.b}", "\n".join(found.sentences)]
    if found.same and not every:
        return printable("\n\n".join(parts))
    table = found.matrices if every else found.matrices[:_SHOWN]
    parts.append(_lines(_cells(table)))
    left = len(found.matrices) - len(table)
    if left:
        parts[-1] += f"\n{left} more, which moved less: --all shows them"
    for summary in (found.by_role, found.by_depth):
        if len(summary) > 1:
            parts.append(_lines(_grouped(summary)))
    return printable("\n\n".join(parts))


def _cells(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table as text, a row a matrix."""
    both = zip(table["rows"], table["columns"], strict=True)
    sizes = [f"{rows} x {columns}" for rows, columns in both]
    grown = table["spectral_norm_b"] / table["spectral_norm_a"]
    cells = table.assign(size=sizes, grown=grown)[[*_TERMINAL]].rename(columns=_TERMINAL)
    return _as_text(cells, ("change",))


def _grouped(summary: pd.DataFrame) -> pd.DataFrame:
    name = str(summary.index.name)
    cells = summary.rename(columns=_GROUPED).rename_axis(None).reset_index(names=f"by {name}")
    return _as_text(cells, ("median change", "most"))


def _as_text(cells: pd.DataFrame, shares: Sequence[str]) -> pd.DataFrame:
    text = cells.astype(object)
    for name in cells:
        if name in shares:
            text[name] = [share(value) if pd.notna(value) else "-" for value in cells[name]]
        elif pd.api.types.is_numeric_dtype(cells[name]):
            text[name] = ["-" if pd.isna(value) else f"{value:.3g}" for value in cells[name]]
    return text.astype(str)


def _lines(cells: pd.DataFrame) -> str:
    """Return a table of text in columns, the first one to the left."""
    columns = [[str(name), *cells[name]] for name in cells]
    widths = [max(map(len, column)) for column in columns]
    rows = zip(*columns, strict=True)
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
