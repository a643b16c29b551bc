"""A comparison of singular vectors in two panels: one diagonal in full, and the scores of all."""

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
from specflow.figures.layers import Layers
from specflow.figures.style import new_figure
from specflow.figures.timeline import Timeline
from specflow.tables.reading import Table

_DIAGONAL_HEIGHT = 1.9  # inches


@dataclass(frozen=True)
class Comparison:
    """What is compared, as tables and words.

    Attributes:
        title: Of the figure.
        quantity: What a colour stands for.
        layers: All matrices or pairs.
        chosen: The one whose diagonal is shown.
        diagonal: Its rows of a table of diagonals.
        scores: Of all of them.
        colours: The map of the quantity.
    """

    title: str
    quantity: str
    layers: Layers
    chosen: str
    diagonal: Grid
    scores: Grid
    colours: Colormap


def diagonal_grid(table: Table, timeline: Timeline) -> Grid:
    """Return a diagonal over time, a row for each index from 1.

    Args:
        table: Rows of a table of diagonals, of one matrix or pair of one experiment.
        timeline: Which column is time.
    """
    indices = np.unique(table.numbers("index")).tolist()
    return grid(table, "index", indices, timeline.column, "mean")


def draw_comparison(comparison: Comparison, timeline: Timeline) -> Figure:
    """Draw the diagonal of the chosen matrix or pair above the scores of all.

    Both panels have one colour scale from 0; a strip at the right of each has the colours that
    unrelated matrices would have.

    Args:
        comparison: What is drawn.
        timeline: The horizontal axis.

    Returns:
        The figure.
    """
    layers, diagonal, scores = comparison.layers, comparison.diagonal, comparison.scores
    score_height = max(ROW_HEIGHT * len(layers.names), 1.2)
    figure = new_figure(_DIAGONAL_HEIGHT + score_height + 1.7)
    upper, lower = figure.subplots(2, height_ratios=[_DIAGONAL_HEIGHT, score_height])
    values = np.concatenate([[0.0], diagonal.values.ravel(), scores.values.ravel()])
    colours = ColourScale.around(comparison.colours, values)
    chosen_null = layers.null_of(comparison.chosen)
    mesh = draw_heatmap(upper, diagonal, timeline, colours)
    draw_null_strip(upper, chosen_null, colours)
    label_indices(upper, len(diagonal.values))
    upper.set_ylabel("index i of the diagonal")
    upper.set_title(f"{layers.label_of(comparison.chosen)} ({null_text(chosen_null)})")
    timeline.apply(upper, diagonal.x, "")
    score_mesh = draw_heatmap(lower, scores, timeline, colours)
    draw_null_strip(lower, layers.nulls, colours)
    label_rows(lower, layers.labels)
    lower.set_title(
        f"score: mean of the first entries of every diagonal ({null_text(layers.nulls)})"
    )
    timeline.apply(lower, scores.x)
    shown = score_mesh if np.ma.is_masked(score_mesh.get_array()) else mesh
    add_colour_bar(figure, [upper, lower], shown, comparison.quantity)
    figure.suptitle(comparison.title)
    return figure
