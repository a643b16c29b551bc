"""Which figures a folder of tables allows, and how each is drawn."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from matplotlib.figure import Figure

from specflow.figures.across import draw_across
from specflow.figures.barriers import draw_barriers
from specflow.figures.diagonals import AGREEMENT, ALIGNMENT, draw_diagonals
from specflow.figures.effective_rank import draw_effective_rank
from specflow.figures.end_agreement import draw_end_agreement
from specflow.figures.errors import draw_errors
from specflow.figures.grokking import draw_grokking
from specflow.figures.index import FigureEntry
from specflow.figures.interpolation import draw_interpolation
from specflow.figures.labels import draw_labels
from specflow.figures.layers import pairs_of
from specflow.figures.losses import draw_losses
from specflow.figures.perturbation import draw_perturbation
from specflow.figures.problems_directions import draw_problems_directions
from specflow.figures.problems_pruning import draw_problems_pruning
from specflow.figures.problems_spectra import draw_problems_spectra
from specflow.figures.samples import draw_samples
from specflow.figures.singular_values import draw_singular_values
from specflow.figures.suites import OF_SUITE, OF_SUITE_PAIRS, has_pairs
from specflow.figures.tickets import draw_tickets
from specflow.figures.weight_decay import draw_weight_decay
from specflow.params.figures import FiguresParams
from specflow.params.groups import Groups
from specflow.tables.reading import Tables

Draw = Callable[[], Figure]
Drawings = Iterator[tuple[FigureEntry, Draw]]
_DrawOne = Callable[[Tables, str, FiguresParams], Figure]
_DrawTogether = Callable[[Tables, Sequence[str], FiguresParams], Figure]

OF_EXPERIMENT: dict[str, _DrawOne] = {
    "losses": draw_losses,
    "effective_rank": draw_effective_rank,
}
# Only where the tables have a matrix in full.
OF_MATRICES: dict[str, _DrawOne] = {
    "singular_values": draw_singular_values,
    "agreement": partial(draw_diagonals, AGREEMENT),
}
OF_PAIRS: dict[str, _DrawOne] = {"alignment": partial(draw_diagonals, ALIGNMENT)}
OF_CONNECTION: dict[str, _DrawOne] = {
    "barriers": draw_barriers,
    "interpolation": draw_interpolation,
    "end_agreement": draw_end_agreement,
}
# Only where there are lines of this relation.
OF_RELATION: dict[str, tuple[str, _DrawOne]] = {
    "across": ("across", draw_across),
    "perturbed": ("perturbation", draw_perturbation),
}
OF_PROBLEMS: dict[str, _DrawTogether] = {
    "problems_spectra": draw_problems_spectra,
    "problems_pruning": draw_problems_pruning,
    "problems_agreement": partial(draw_problems_directions, AGREEMENT),
}
OF_PROBLEMS_WITH_PAIRS: dict[str, _DrawTogether] = {
    "problems_alignment": partial(draw_problems_directions, ALIGNMENT)
}


def drawings(tables: Tables, params: FiguresParams, groups: Groups) -> dict[FigureEntry, Draw]:
    """Return how to draw each figure, in the order in which a report lists them.

    Args:
        tables: The tables; which experiments, connections, ... they have is read here.
        params: The figures section.
        groups: The experiments to be compared.

    Returns:
        Functions that draw one figure each. Experiments of which no matrix is in the tables in
        full have no figures of singular values and directions, those without pairs of neighbours
        none of alignment, those without tickets none of tickets, connections without lines across
        trunks or perturbed split points none of these.
    """
    return {
        **dict(_of_experiments(tables, params)),
        **dict(_of_connections(tables, params)),
        **dict(_of_sections(tables, params)),
        **suite_drawings(tables, params),
        **dict(_of_groups(tables, params, groups)),
        **dict(_of_problems(tables, params)),
    }


def _of_experiments(tables: Tables, params: FiguresParams) -> Drawings:
    for experiment in tables["matrices"].distinct("experiment"):
        kinds = dict(OF_EXPERIMENT)
        for table, more in (("singular_values", OF_MATRICES), ("alignment_diagonal", OF_PAIRS)):
            kinds |= more if len(tables[table].where(experiment=experiment)) else {}
        for kind, draw in kinds.items():
            yield FigureEntry.of(kind, experiment), partial(draw, tables, experiment, params)


def _of_connections(tables: Tables, params: FiguresParams) -> Drawings:
    for connection in tables["connections"].distinct("connection"):
        relations = tables["barriers"].where(connection=connection).distinct("relation")
        extra = dict(kind for relation, kind in OF_RELATION.items() if relation in relations)
        for kind, draw in (OF_CONNECTION | extra).items():
            yield FigureEntry.of(kind, connection), partial(draw, tables, connection, params)


def _of_sections(tables: Tables, params: FiguresParams) -> Drawings:
    for experiment in tables["tickets"].distinct("experiment"):
        entry = FigureEntry.of("tickets", experiment)
        yield entry, partial(draw_tickets, tables, experiment, params)
    for samples in tables["samples"].distinct("samples"):
        yield FigureEntry.of("samples", samples), partial(draw_samples, tables, samples, params)


def suite_drawings(tables: Tables, params: FiguresParams) -> dict[FigureEntry, Draw]:
    """Return how to draw each figure of suites.

    Args:
        tables: The tables about suites.
        params: The figures section.

    Returns:
        Functions that draw one figure each; suites without pairs have no figure of alignment.
    """
    return {
        FigureEntry.of(kind, suite): partial(draw, tables, suite, params)
        for suite in tables["suite_matrices"].distinct("suite")
        for kind, draw in (OF_SUITE | (OF_SUITE_PAIRS if has_pairs(tables, suite) else {})).items()
    }


def _of_groups(tables: Tables, params: FiguresParams, groups: Groups) -> Drawings:
    for base, series in groups.weight_decay.items():
        entry = FigureEntry.of("weight_decay", base)
        yield entry, partial(draw_weight_decay, tables, series, params)
    for true_labels, pair in groups.labels.items():
        yield FigureEntry.of("labels", true_labels), partial(draw_labels, tables, pair, params)
    experiments = tables["matrices"].distinct("experiment")
    shown = [name for name in experiments if name not in groups.variants]
    yield FigureEntry.of("errors"), partial(draw_errors, tables, shown, params)


def _of_problems(tables: Tables, params: FiguresParams) -> Drawings:
    if params.grokking is not None:
        yield FigureEntry.of("grokking"), partial(draw_grokking, tables, params.grokking)
    with_pairs = [name for name in params.problems if pairs_of(tables, name).names]
    for kinds, names in ((OF_PROBLEMS, params.problems), (OF_PROBLEMS_WITH_PAIRS, with_pairs)):
        for kind, draw in kinds.items() if names else ():
            yield FigureEntry.of(kind), partial(draw, tables, names, params)
