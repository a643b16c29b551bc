"""Singular vectors of several problems side by side (figure 5 of the paper, and agreement)."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from specflow.figures.columns import column_titles, number_rows
from specflow.figures.diagonals import Directions, Quantity, directions_of, values_of
from specflow.figures.heatmap import (
    ColourScale,
    add_colour_bar,
    draw_heatmap,
    label_indices,
    null_text,
)
from specflow.figures.style import new_figure
from specflow.params.figures import FiguresParams
from specflow.tables.reading import Tables


def draw_problems_directions(
    quantity: Quantity, tables: Tables, experiments: Sequence[str], params: FiguresParams
) -> Figure:
    """Draw the diagonal of the chosen matrix or pair above the scores of all, means over seeds.

    Args:
        quantity: What is compared.
        tables: matrices or pairs, diagonals and scores are read.
        experiments: A column each; all have matrices or pairs.
        params: The figures section.

    Returns:
        The figure; all panels have one colour scale.
    """
    columns = [directions_of(quantity, tables, name, params) for name in experiments]
    colours = ColourScale.around(quantity.colours, values_of(columns))
    figure = new_figure(height=5.8)
    panels = figure.subplots(2, len(columns), squeeze=False)
    upper = column_titles([_title(one) for one in columns])
    lower = column_titles([(f"scores, {null_text(one.layers.nulls)}",) for one in columns])
    meshes = []
    for axes, one, *titles in zip(panels.T, columns, upper, lower, strict=True):
        meshes += _draw_column(axes, one, titles, colours)
    panels[0, 0].set_ylabel("index i of the diagonal")
    panels[1, 0].set_ylabel(f"depth (number of the {quantity.subject})")
    masked = (mesh for mesh in meshes if np.ma.is_masked(mesh.get_array()))
    add_colour_bar(figure, panels.ravel().tolist(), next(masked, meshes[0]), quantity.name)
    figure.suptitle(quantity.title)
    return figure


def _title(one: Directions) -> tuple[str, ...]:
    return (one.experiment, one.layers.label_of(one.chosen), null_text(one.chosen_null))


def _draw_column(
    axes: Sequence[Axes], column: Directions, titles: Sequence[str], colours: ColourScale
) -> list[QuadMesh]:
    upper, lower = axes
    diagonal = draw_heatmap(upper, column.diagonal, column.timeline, colours)
    label_indices(upper, len(column.diagonal.values))
    column.timeline.apply(upper, column.diagonal.x, "")
    scores = draw_heatmap(lower, column.scores, column.timeline, colours)
    number_rows(lower, len(column.scores.values))
    column.timeline.apply(lower, column.scores.x)
    for place, title in zip(axes, titles, strict=True):
        place.set_title(title)
    return [diagonal, scores]
