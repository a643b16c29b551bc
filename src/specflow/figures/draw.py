"""All figures of a folder of tables."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure

from specflow.errors import SpecflowError
from specflow.figures.across import draw_across
from specflow.figures.barriers import draw_barriers
from specflow.figures.diagonals import AGREEMENT, ALIGNMENT, draw_diagonals
from specflow.figures.effective_rank import draw_effective_rank
from specflow.figures.end_agreement import draw_end_agreement
from specflow.figures.grokking import draw_grokking
from specflow.figures.interpolation import draw_interpolation
from specflow.figures.layers import matrices_of, pairs_of
from specflow.figures.losses import draw_losses
from specflow.figures.perturbation import draw_perturbation
from specflow.figures.samples import draw_samples
from specflow.figures.singular_values import draw_singular_values
from specflow.figures.style import house_style, save
from specflow.figures.tickets import draw_tickets
from specflow.params.figures import FiguresParams, chosen_matrices, chosen_pairs
from specflow.tables.reading import Tables

_Draw = Callable[[Tables, str, FiguresParams], Figure]

OF_EXPERIMENT: dict[str, _Draw] = {
    "losses": draw_losses,
    "singular_values": draw_singular_values,
    "effective_rank": draw_effective_rank,
    "agreement": partial(draw_diagonals, AGREEMENT),
}
OF_PAIRS: dict[str, _Draw] = {"alignment": partial(draw_diagonals, ALIGNMENT)}
OF_CONNECTION: dict[str, _Draw] = {
    "barriers": draw_barriers,
    "interpolation": draw_interpolation,
    "end_agreement": draw_end_agreement,
}
# Only where there are lines of this relation.
OF_RELATION: dict[str, tuple[str, _Draw]] = {
    "across": ("across", draw_across),
    "perturbed": ("perturbation", draw_perturbation),
}
OF_SAMPLES: dict[str, _Draw] = {"samples": draw_samples}


def draw_all(tables_dir: Path, output_dir: Path, params: FiguresParams) -> list[Path]:
    """Draw every figure of every experiment, connection and ticket that the tables have.

    Args:
        tables_dir: Folder of the CSV tables.
        output_dir: Folder of the figures; made if missing.
        params: The figures section.

    Returns:
        The PNG files written: NAME_EXPERIMENT.png, NAME_CONNECTION.png, and grokking.png if params
        have that panel. Experiments without pairs of neighbours have no alignment figure, those
        without tickets none of these, connections without lines across trunks or perturbed split
        points none of these.

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
        for name, figure in _figures(tables, experiments, params):
            written.append(output_dir / f"{name}.png")
            save(figure, written[-1], params.dpi)
    return written


def _figures(
    tables: Tables, experiments: Sequence[str], params: FiguresParams
) -> Iterator[tuple[str, Figure]]:
    for experiment in experiments:
        drawings = OF_EXPERIMENT
        if pairs_of(tables, experiment).names:
            drawings = OF_EXPERIMENT | OF_PAIRS
        for name, draw in drawings.items():
            yield f"{name}_{experiment}", draw(tables, experiment, params)
    for connection in tables["connections"].distinct("connection"):
        for name, draw in OF_CONNECTION.items():
            yield f"{name}_{connection}", draw(tables, connection, params)
        relations = tables["barriers"].where(connection=connection).distinct("relation")
        for relation, (name, draw) in OF_RELATION.items():
            if relation in relations:
                yield f"{name}_{connection}", draw(tables, connection, params)
    for experiment in tables["tickets"].distinct("experiment"):
        yield f"tickets_{experiment}", draw_tickets(tables, experiment, params)
    for samples in tables["samples"].distinct("samples"):
        for name, draw in OF_SAMPLES.items():
            yield f"{name}_{samples}", draw(tables, samples, params)
    if params.grokking is not None:
        yield "grokking", draw_grokking(tables, params.grokking)


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
