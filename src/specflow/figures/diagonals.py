"""Agreement and alignment of singular vectors: one diagonal in full, and the scores of all."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.colors import Colormap
from matplotlib.figure import Figure

from specflow.figures.grouping import Grid, grid
from specflow.figures.heatmap import (
    ROW_HEIGHT,
    ColourScale,
    add_colour_bar,
    draw_heatmap,
    draw_null_strip,
    label_indices,
    label_rows,
    null_text,
)
from specflow.figures.layers import Layers, matrices_of, pairs_of
from specflow.figures.style import AGREEMENT_MAP, ALIGNMENT_MAP, new_figure
from specflow.figures.timeline import Timeline
from specflow.params.figures import FiguresParams, chosen_matrix, chosen_pair
from specflow.tables.reading import Numbers, Table, Tables

_DIAGONAL_HEIGHT = 1.9  # inches


@dataclass(frozen=True)
class Quantity:
    """A comparison of singular vectors: where the tables have it, and how it is drawn.

    Attributes:
        name: What a colour stands for; diagonals are in the table NAME_diagonal, scores in the
            column NAME_score.
        title: Of the figure.
        scores: The table of scores.
        subject: Column of both tables that says what is compared: matrix or pair.
        layers: Returns all matrices or pairs.
        choose: Returns the one whose diagonal is shown.
        colours: The map of the quantity.
    """

    name: str
    title: str
    scores: str
    subject: str
    layers: Callable[[Tables, str], Layers]
    choose: Callable[[FiguresParams, str, Sequence[str]], str]
    colours: Colormap


AGREEMENT = Quantity(  # when top directions settle
    name="agreement",
    title="Agreement of singular vectors with the final checkpoint",
    scores="spectra",
    subject="matrix",
    layers=matrices_of,
    choose=chosen_matrix,
    colours=AGREEMENT_MAP,
)
ALIGNMENT = Quantity(  # figure 5 of the paper
    name="alignment",
    title="Alignment of neighbouring layers",
    scores="alignment",
    subject="pair",
    layers=pairs_of,
    choose=chosen_pair,
    colours=ALIGNMENT_MAP,
)


def diagonal_grid(table: Table, timeline: Timeline) -> Grid:
    """Return a diagonal over time, a row for each index from 1.

    Args:
        table: Rows of a table of diagonals, of one matrix or pair of one experiment.
        timeline: Which column is time.
    """
    indices = np.unique(table.numbers("index")).tolist()
    return grid(table, "index", indices, timeline.column, "mean")


@dataclass(frozen=True)
class Directions:
    """A quantity of one experiment, means over seeds.

    Attributes:
        experiment: Its name.
        layers: All matrices or pairs.
        chosen: The one whose diagonal is shown.
        timeline: The horizontal axis.
        diagonal: Of the chosen one.
        scores: Of all.
    """

    experiment: str
    layers: Layers
    chosen: str
    timeline: Timeline
    diagonal: Grid
    scores: Grid

    @property
    def chosen_null(self) -> Numbers:
        """Null level of the chosen one, shape (1,)."""
        return self.layers.null_of(self.chosen)


def directions_of(
    quantity: Quantity, tables: Tables, experiment: str, params: FiguresParams
) -> Directions:
    """Return a quantity of one experiment.

    Args:
        quantity: What is compared.
        tables: matrices or pairs, diagonals and scores are read.
        experiment: One that has matrices or pairs.
        params: The figures section.
    """
    layers, timeline = quantity.layers(tables, experiment), Timeline.of(params.of(experiment))
    chosen = quantity.choose(params, experiment, layers.names)
    every_diagonal = tables[f"{quantity.name}_diagonal"].where(experiment=experiment)
    diagonal = diagonal_grid(every_diagonal.where(**{quantity.subject: chosen}), timeline)
    rows = tables[quantity.scores].where(experiment=experiment)
    column = f"{quantity.name}_score"
    scores = grid(rows, quantity.subject, layers.names, timeline.column, column)
    return Directions(experiment, layers, chosen, timeline, diagonal, scores)


def values_of(shown: Iterable[Directions]) -> Numbers:
    """Return 0 and everything that is drawn, shape (values,): the range of a common scale."""
    grids = (part.values.ravel() for one in shown for part in (one.diagonal, one.scores))
    return np.concatenate([[0.0], *grids])


def draw_diagonals(
    quantity: Quantity, tables: Tables, experiment: str, params: FiguresParams
) -> Figure:
    """Draw the diagonal of the chosen matrix or pair above the scores of all, means over seeds.

    Both panels have one colour scale from 0; a strip at the right of each has the colours that
    unrelated matrices would have.

    Args:
        quantity: What is compared.
        tables: matrices or pairs, diagonals and scores are read.
        experiment: One that has matrices or pairs.
        params: The figures section.

    Returns:
        The figure.
    """
    shown = directions_of(quantity, tables, experiment, params)
    layers = shown.layers
    score_height = max(ROW_HEIGHT * len(layers.names), 1.2)
    figure = new_figure(_DIAGONAL_HEIGHT + score_height + 1.7)
    upper, lower = figure.subplots(2, height_ratios=[_DIAGONAL_HEIGHT, score_height])
    colours = ColourScale.around(quantity.colours, values_of([shown]))
    mesh = draw_heatmap(upper, shown.diagonal, shown.timeline, colours)
    draw_null_strip(upper, shown.chosen_null, colours)
    label_indices(upper, len(shown.diagonal.values))
    upper.set_ylabel("index i of the diagonal")
    upper.set_title(f"{layers.label_of(shown.chosen)} ({null_text(shown.chosen_null)})")
    shown.timeline.apply(upper, shown.diagonal.x, "")
    score_mesh = draw_heatmap(lower, shown.scores, shown.timeline, colours)
    draw_null_strip(lower, layers.nulls, colours)
    label_rows(lower, layers.labels)
    lower.set_title(
        f"score: mean of the first entries of every diagonal ({null_text(layers.nulls)})"
    )
    shown.timeline.apply(lower, shown.scores.x)
    masked = np.ma.is_masked(score_mesh.get_array())
    add_colour_bar(figure, [upper, lower], score_mesh if masked else mesh, quantity.name)
    figure.suptitle(f"{quantity.title}: {experiment}")
    return figure
