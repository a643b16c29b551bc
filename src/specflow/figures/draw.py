"""All figures of a folder of tables, drawn side by side."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import get_args

from specflow.errors import BrokenFileError, SpecflowError
from specflow.executor import Report, Slot, run_in_slots
from specflow.figures.index import FigureEntry
from specflow.figures.registry import kinds
from specflow.figures.section import FiguresParams
from specflow.figures.style import house_style, new_figure, save
from specflow.figures.subjects import (
    Of,
    Subject,
    checkpoints_in,
    checkpoints_of,
    comparison_of,
    experiments_in,
    subjects,
)
from specflow.frames import Tables
from specflow.studies.comparisons import Groups
from specflow.studies.shown import Key

Note = Callable[[Path], None]
Drawing = tuple[str, Subject]  # name of a kind, and of what


def draw_all(
    tables_dir: Path, output_dir: Path, params: FiguresParams, groups: Groups, workers: int = 1
) -> list[FigureEntry]:
    """Draw every figure that the tables allow, and return them in the order of a report.

    The bytes do not depend on the number of workers.

    Raises:
        SpecflowError: If params or groups name an experiment, checkpoints, a matrix or a pair that
            the tables do not have; nothing is written then. Or if a table is missing or broken;
            the message names the figure.
    """
    tables = Tables(tables_dir)
    _check_names(tables, params, groups)
    shown = drawings(tables, params, groups)
    shares = {
        f"share {place + 1} of the figures": shown[place::workers]
        for place in range(min(workers, len(shown)))
    }
    draw = partial(_draw, tables_dir, output_dir, params.dpi)
    slots = [Slot(1)] * workers
    run_in_slots(slots, draw, shares, title="figures", total=len(shown))
    return _entries(shown, tables)


def draw_checkpoints(
    tables_dir: Path, output_dir: Path, params: FiguresParams, note: Note
) -> list[FigureEntry]:
    """Draw every figure of checkpoints made elsewhere, where there are no tables of runs.

    `note` is called with each figure that is whole.

    Raises:
        SpecflowError: If a table is missing or broken.
    """
    tables = Tables(tables_dir)
    names = tables["matrices"]["experiment"].unique()
    shown = _drawings("checkpoints", [checkpoints_of(name, params) for name in names], tables)
    for path in _drawn(tables_dir, output_dir, params.dpi, shown):
        note(path)
    return _entries(shown, tables)


def draw_comparison(
    tables_dir: Path, output_dir: Path, params: FiguresParams, name: str, note: Note
) -> list[FigureEntry]:
    """Draw every figure of two models that were compared; `note` is called with each.

    Raises:
        SpecflowError: If a table is missing or broken.
    """
    tables = Tables(tables_dir)
    shown = _drawings("comparison", [comparison_of(name, params)], tables)
    for path in _drawn(tables_dir, output_dir, params.dpi, shown):
        note(path)
    return _entries(shown, tables)


def drawings(tables: Tables, params: FiguresParams, groups: Groups) -> list[Drawing]:
    """Return every figure that the tables allow, in the order in which a report shows it."""
    return [
        drawing
        for of in get_args(Of)
        for drawing in _drawings(of, subjects(of, tables, params, groups), tables)
    ]


def _drawings(of: Of, found: Iterable[Subject], tables: Tables) -> list[Drawing]:
    """Return every figure of subjects of which the tables have enough."""
    return [
        (name, subject)
        for subject in found
        for name, kind in kinds().items()
        if of in kind.of and kind.when(tables, subject)
    ]


def _entries(drawings: Iterable[Drawing], tables: Tables) -> list[FigureEntry]:
    return [kinds()[name].entry(subject, tables) for name, subject in drawings]


def _draw(
    tables_dir: Path, output_dir: Path, dpi: int, drawings: Sequence[Drawing], report: Report
) -> None:
    for _ in _drawn(tables_dir, output_dir, dpi, drawings):
        report(1)


def _drawn(
    tables_dir: Path, output_dir: Path, dpi: int, drawings: Sequence[Drawing]
) -> Iterator[Path]:
    """Draw figures one after the other.

    Yields:
        The place of each when it is whole.

    Raises:
        BrokenFileError: If a table lacks a column.
        SpecflowError: If a figure cannot be drawn or written.
    """
    tables = Tables(tables_dir)
    with house_style():
        for name, subject in drawings:
            figure, kind = new_figure(), kinds()[name]
            entry = kind.entry(subject, tables)
            figure.suptitle(entry.title)
            try:
                kind.draw(figure, tables, subject)
            except SpecflowError as error:
                raise SpecflowError(f"{entry.file}: {error}") from error
            except KeyError as error:
                raise BrokenFileError(tables_dir, f"{entry.file}: no {error}", "collect") from error
            save(figure, output_dir / entry.file, dpi)
            yield output_dir / entry.file


def _check_names(tables: Tables, params: FiguresParams, groups: Groups) -> None:
    experiments, checkpoints = experiments_in(tables), checkpoints_in(tables)
    for what, named, known in (
        ("experiment", params.named | groups.experiments, experiments),
        ("checkpoints", set(params.checkpoints), checkpoints),
    ):
        for name in sorted(named - set(known)):
            expected = ", ".join(known) or "none"
            raise SpecflowError(f"figures name the {what} {name!r}; the tables have {expected}")
    for name in (*experiments, *checkpoints):
        subject = checkpoints_of(name, params)  # matrices and pairs of an experiment are the same
        for key in get_args(Key):
            params.chosen(name, key, list(subject.layers(tables, key).index))
