"""All figures of a folder of tables."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure

from specflow.errors import SpecflowError
from specflow.executor import Report, run_members
from specflow.figures.agreement import draw_agreement
from specflow.figures.alignment import draw_alignment
from specflow.figures.barriers import draw_barriers
from specflow.figures.effective_rank import draw_effective_rank
from specflow.figures.end_agreement import draw_end_agreement
from specflow.figures.errors import draw_errors
from specflow.figures.grokking import draw_grokking
from specflow.figures.interpolation import draw_interpolation
from specflow.figures.labels import draw_labels
from specflow.figures.layers import matrices_of, pairs_of
from specflow.figures.losses import draw_losses
from specflow.figures.problems_directions import draw_problems_agreement, draw_problems_alignment
from specflow.figures.problems_pruning import draw_problems_pruning
from specflow.figures.problems_spectra import draw_problems_spectra
from specflow.figures.singular_values import draw_singular_values
from specflow.figures.style import house_style, save
from specflow.figures.weight_decay import draw_weight_decay
from specflow.params.figures import FiguresParams, chosen_matrices, chosen_pairs
from specflow.params.groups import Groups
from specflow.tables.reading import Tables

_Draw = Callable[[Tables, str, FiguresParams], Figure]
_DrawTogether = Callable[[Tables, Sequence[str], FiguresParams], Figure]

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
OF_PROBLEMS: dict[str, _DrawTogether] = {
    "spectra": draw_problems_spectra,
    "pruning": draw_problems_pruning,
    "agreement": draw_problems_agreement,
}
OF_PROBLEMS_WITH_PAIRS: dict[str, _DrawTogether] = {"alignment": draw_problems_alignment}


def draw_all(
    tables_dir: Path, output_dir: Path, params: FiguresParams, groups: Groups, workers: int = 1
) -> list[Path]:
    """Draw every figure of every experiment, connection and group of experiments in the tables.

    Args:
        tables_dir: Folder of the CSV tables.
        output_dir: Folder of the figures; made if missing.
        params: The figures section.
        groups: The experiments to be compared.
        workers: Number of processes; the bytes do not depend on it.

    Returns:
        The PNG files written: NAME_EXPERIMENT.png, NAME_CONNECTION.png, errors.png,
        weight_decay_BASE.png and labels_TRUE.png of every group, and grokking.png and
        problems_NAME.png if params have them. Experiments without pairs of neighbours are in no
        alignment figure.

    Raises:
        SpecflowError: If params or groups name an experiment, matrix or pair that the tables do
            not have; nothing is written then. Or if a table or a column is missing or broken.
    """
    tables = Tables(tables_dir)
    _check_names(tables, tables["matrices"].distinct("experiment"), params, groups)
    names = list(_drawings(tables, params, groups))
    shares = {
        f"share {place + 1} of the figures": _Share(
            tables_dir, output_dir, params, groups, names[place::workers]
        )
        for place in range(min(workers, len(names)))
    }
    run_members(_draw_share, shares, title="figures", total=len(names), workers=workers)
    return [output_dir / f"{name}.png" for name in names]


@dataclass(frozen=True)
class _Share:
    """What one worker draws: the figures of these names."""

    tables_dir: Path
    output_dir: Path
    params: FiguresParams
    groups: Groups
    names: Sequence[str]


def _draw_share(share: _Share, report: Report) -> None:
    drawings = _drawings(Tables(share.tables_dir), share.params, share.groups)
    with house_style():
        for name in share.names:
            save(drawings[name](), share.output_dir / f"{name}.png", share.params.dpi)
            report(1)


def _drawings(
    tables: Tables, params: FiguresParams, groups: Groups
) -> dict[str, Callable[[], Figure]]:
    """Return how to draw each figure, by its name."""
    of_one: dict[str, Callable[[], Figure]] = {}
    experiments = tables["matrices"].distinct("experiment")
    for experiment in experiments:
        drawings = OF_EXPERIMENT
        if pairs_of(tables, experiment).names:
            drawings = OF_EXPERIMENT | OF_PAIRS
        for name, draw in drawings.items():
            of_one[f"{name}_{experiment}"] = partial(draw, tables, experiment, params)
    for connection in tables["connections"].distinct("connection"):
        for name, draw in OF_CONNECTION.items():
            of_one[f"{name}_{connection}"] = partial(draw, tables, connection, params)
    return of_one | _comparisons(tables, experiments, params, groups)


def _comparisons(
    tables: Tables, experiments: Sequence[str], params: FiguresParams, groups: Groups
) -> dict[str, Callable[[], Figure]]:
    shown = [name for name in experiments if name not in groups.variants]
    drawings: dict[str, Callable[[], Figure]] = {
        "errors": partial(draw_errors, tables, shown, params)
    }
    for base, series in groups.weight_decay.items():
        drawings[f"weight_decay_{base}"] = partial(draw_weight_decay, tables, series, params)
    for true_labels, pair in groups.labels.items():
        drawings[f"labels_{true_labels}"] = partial(draw_labels, tables, pair, params)
    if params.grokking is not None:
        drawings["grokking"] = partial(draw_grokking, tables, params.grokking)
    with_pairs = [name for name in params.problems if pairs_of(tables, name).names]
    for kind, names in ((OF_PROBLEMS, params.problems), (OF_PROBLEMS_WITH_PAIRS, with_pairs)):
        for name, draw in kind.items() if names else ():
            drawings[f"problems_{name}"] = partial(draw, tables, names, params)
    return drawings


def _check_names(
    tables: Tables, experiments: Sequence[str], params: FiguresParams, groups: Groups
) -> None:
    panel = params.grokking.experiments if params.grokking else ()
    for name in [*params.experiments, *panel, *params.problems, *sorted(groups.experiments)]:
        if name not in experiments:
            raise SpecflowError(
                f"figures name the experiment {name!r}; the tables have {', '.join(experiments)}"
            )
    for name in experiments:
        chosen_matrices(params, name, matrices_of(tables, name).names)
        chosen_pairs(params, name, pairs_of(tables, name).names)
