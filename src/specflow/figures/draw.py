"""All figures of a folder of tables, drawn side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from specflow.errors import SpecflowError
from specflow.executor import Report, run_members
from specflow.figures.catalogue import drawings, suite_drawings
from specflow.figures.index import FigureEntry
from specflow.figures.layers import matrices_of, pairs_of
from specflow.figures.style import house_style, save
from specflow.params.figures import FiguresParams, chosen_matrices, chosen_pairs
from specflow.params.groups import Groups
from specflow.tables.reading import Tables


def draw_all(
    tables_dir: Path, output_dir: Path, params: FiguresParams, groups: Groups, workers: int = 1
) -> list[FigureEntry]:
    """Draw every figure that the tables allow.

    Args:
        tables_dir: Folder of the CSV tables.
        output_dir: Folder of the figures; made if missing.
        params: The figures section.
        groups: The experiments to be compared.
        workers: Number of processes; the bytes do not depend on it.

    Returns:
        What was written: KIND_SUBJECT.png, and KIND.png of the whole project.

    Raises:
        SpecflowError: If params or groups name an experiment, matrix or pair that the tables do
            not have; nothing is written then. Or if a table or a column is missing or broken.
    """
    tables = Tables(tables_dir)
    _check_names(tables, tables["matrices"].distinct("experiment"), params, groups)
    entries = list(drawings(tables, params, groups))
    shares = {
        f"share {place + 1} of the figures": _Share(
            tables_dir, output_dir, params, groups, entries[place::workers]
        )
        for place in range(min(workers, len(entries)))
    }
    run_members(_draw_share, shares, title="figures", total=len(entries), workers=workers)
    return entries


def draw_suites(tables_dir: Path, output_dir: Path, params: FiguresParams) -> list[FigureEntry]:
    """Draw every figure of suites, where there are no tables of anything else.

    Args:
        tables_dir: Folder of the tables about suites.
        output_dir: Folder of the figures; made if missing.
        params: The figures section.

    Returns:
        What was written.

    Raises:
        SpecflowError: If a table or a column is missing or broken.
    """
    drawn = suite_drawings(Tables(tables_dir), params)
    with house_style():
        for entry, draw in drawn.items():
            save(draw(), output_dir / entry.file, params.dpi)
    return list(drawn)


@dataclass(frozen=True)
class _Share:
    """What one worker draws: these entries."""

    tables_dir: Path
    output_dir: Path
    params: FiguresParams
    groups: Groups
    entries: Sequence[FigureEntry]


def _draw_share(share: _Share, report: Report) -> None:
    draw = drawings(Tables(share.tables_dir), share.params, share.groups)
    with house_style():
        for entry in share.entries:
            save(draw[entry](), share.output_dir / entry.file, share.params.dpi)
            report(1)


def _check_names(
    tables: Tables, experiments: Sequence[str], params: FiguresParams, groups: Groups
) -> None:
    for name in sorted(params.named | groups.experiments):
        if name not in experiments:
            raise SpecflowError(
                f"figures name the experiment {name!r}; the tables have {', '.join(experiments)}"
            )
    for name in experiments:
        chosen_matrices(params, name, matrices_of(tables, name).names)
        chosen_pairs(params, name, pairs_of(tables, name).names)
