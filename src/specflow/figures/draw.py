"""All figures of a folder of tables."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from specflow.errors import SpecflowError
from specflow.figures.agreement import draw_agreement
from specflow.figures.alignment import draw_alignment
from specflow.figures.barriers import draw_barriers
from specflow.figures.effective_rank import draw_effective_rank
from specflow.figures.end_agreement import draw_end_agreement
from specflow.figures.grokking import draw_grokking
from specflow.figures.index import FigureEntry
from specflow.figures.interpolation import draw_interpolation
from specflow.figures.layers import matrices_of, pairs_of
from specflow.figures.losses import draw_losses
from specflow.figures.singular_values import draw_singular_values
from specflow.figures.style import house_style, save
from specflow.params.figures import FiguresParams, chosen_matrices, chosen_pairs
from specflow.tables.reading import Tables

_Draw = Callable[[Tables, str, FiguresParams], Figure]

OF_EXPERIMENT: dict[str, _Draw] = {
    "losses": draw_losses,
    "singular_values": draw_singular_values,
    "effective_rank": draw_effective_rank,
    "agreement": draw_agreement,
}
OF_PAIRS: dict[str, _Draw] = {"alignment": draw_alignment}
OF_CONNECTION: dict[str, _Draw] = {
    "barriers": draw_barriers,
    "interpolation": draw_interpolation,
    "end_agreement": draw_end_agreement,
}


def draw_all(tables_dir: Path, output_dir: Path, params: FiguresParams) -> list[FigureEntry]:
    """Draw every figure of every experiment and connection that the tables have.

    Args:
        tables_dir: Folder of the CSV tables.
        output_dir: Folder of the figures; made if missing.
        params: The figures section.

    Returns:
        What was written: NAME_EXPERIMENT.png, NAME_CONNECTION.png, and grokking.png if params
        have that panel. Experiments without pairs of neighbours have no alignment figure.

    Raises:
        SpecflowError: If params name an experiment, matrix or pair that the tables do not have;
            nothing is written then.
        ValueError: If a table or a column is missing or broken.
    """
    tables = Tables(tables_dir)
    experiments = tables["matrices"].distinct("experiment")
    _check_names(tables, experiments, params)
    written = []
    with house_style():
        for entry, figure in _figures(tables, experiments, params):
            written.append(entry)
            save(figure, output_dir / entry.file, params.dpi)
    return written


def _figures(
    tables: Tables, experiments: Sequence[str], params: FiguresParams
) -> Iterator[tuple[FigureEntry, Figure]]:
    for experiment in experiments:
        drawings = OF_EXPERIMENT
        if pairs_of(tables, experiment).names:
            drawings = OF_EXPERIMENT | OF_PAIRS
        for name, draw in drawings.items():
            yield FigureEntry.of(name, experiment), draw(tables, experiment, params)
    for connection in tables["connections"].distinct("connection"):
        for name, draw in OF_CONNECTION.items():
            yield FigureEntry.of(name, connection), draw(tables, connection, params)
    if params.grokking is not None:
        yield FigureEntry.of("grokking"), draw_grokking(tables, params.grokking)


def _check_names(tables: Tables, experiments: Sequence[str], params: FiguresParams) -> None:
    panel = params.grokking.experiments if params.grokking else ()
    for name in [*params.experiments, *panel]:
        if name not in experiments:
            raise SpecflowError(
                f"figures name the experiment {name!r}; the tables have {', '.join(experiments)}"
            )
    for name in experiments:
        chosen_matrices(params, name, matrices_of(tables, name).names)
        chosen_pairs(params, name, pairs_of(tables, name).names)
