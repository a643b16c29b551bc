"""Singular vectors of several problems side by side (figure 5 of the paper, and agreement)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import Colormap
from matplotlib.figure import Figure

from specflow.figures.columns import column_titles, number_rows
from specflow.figures.diagonals import diagonal_grid
from specflow.figures.grouping import Grid, grid
from specflow.figures.heatmap import (
    ColourScale,
    add_colour_bar,
    draw_heatmap,
    label_indices,
    null_text,
)
from specflow.figures.layers import Layers, matrices_of, pairs_of
from specflow.figures.style import AGREEMENT_MAP, ALIGNMENT_MAP, new_figure
from specflow.figures.timeline import Timeline
from specflow.params.figures import FiguresParams, chosen_matrix, chosen_pair
from specflow.tables.reading import Tables


@dataclass(frozen=True)
class _Quantity:
    """What is compared, and in which tables and columns it lies."""

    name: str
    title: str
    row: str
    diagonals: str
    scores: str
    layers: Callable[[Tables, str], Layers]
    choose: Callable[[FiguresParams, str, Sequence[str]], str]
    colours: Colormap


@dataclass(frozen=True)
class _Column:
    """One experiment: the diagonal of its chosen matrix or pair, and the scores of all."""

    title: tuple[str, ...]
    nulls: tuple[str]
    timeline: Timeline
    diagonal: Grid
    scores: Grid


_ALIGNMENT = _Quantity(
    "alignment",
    "Alignment of neighbouring layers",
    "pair",
    "alignment_diagonal",
    "alignment",
    pairs_of,
    chosen_pair,
    ALIGNMENT_MAP,
)
_AGREEMENT = _Quantity(
    "agreement",
    "Agreement of singular vectors with the final checkpoint",
    "matrix",
    "agreement_diagonal",
    "spectra",
    matrices_of,
    chosen_matrix,
    AGREEMENT_MAP,
)


def draw_problems_alignment(
    tables: Tables, experiments: Sequence[str], params: FiguresParams
) -> Figure:
    """Draw the diagonal of the chosen pair above the scores of all pairs, means over seeds.

    Args:
        tables: pairs, alignment_diagonal and alignment are read.
        experiments: A column each; all have pairs.
        params: The figures section.

    Returns:
        The figure; all panels have one colour scale.
    """
    return _draw(_ALIGNMENT, tables, experiments, params)


def draw_problems_agreement(
    tables: Tables, experiments: Sequence[str], params: FiguresParams
) -> Figure:
    """Draw the diagonal of the chosen matrix above the scores of all, means over seeds.

    Args:
        tables: matrices, agreement_diagonal and spectra are read.
        experiments: A column each.
        params: The figures section.

    Returns:
        The figure; all panels have one colour scale.
    """
    return _draw(_AGREEMENT, tables, experiments, params)


def _draw(
    quantity: _Quantity, tables: Tables, experiments: Sequence[str], params: FiguresParams
) -> Figure:
    columns = [_column(quantity, tables, name, params) for name in experiments]
    grids = [part for one in columns for part in (one.diagonal, one.scores)]
    everything = np.concatenate([[0.0], *(part.values.ravel() for part in grids)])
    colours = ColourScale.around(quantity.colours, everything)
    figure = new_figure(height=5.8)
    panels = figure.subplots(2, len(columns), squeeze=False)
    upper = column_titles([one.title for one in columns])
    lower = column_titles([one.nulls for one in columns])
    meshes = []
    for axes, one, *titles in zip(panels.T, columns, upper, lower, strict=True):
        meshes += _draw_column(axes, one, titles, colours)
    panels[0, 0].set_ylabel("index i of the diagonal")
    panels[1, 0].set_ylabel(f"depth (number of the {quantity.row})")
    masked = (mesh for mesh in meshes if np.ma.is_masked(mesh.get_array()))
    add_colour_bar(figure, panels.ravel().tolist(), next(masked, meshes[0]), quantity.name)
    figure.suptitle(quantity.title)
    return figure


def _column(quantity: _Quantity, tables: Tables, experiment: str, params: FiguresParams) -> _Column:
    layers = quantity.layers(tables, experiment)
    chosen = quantity.choose(params, experiment, layers.names)
    timeline = Timeline.of(params.of(experiment))
    diagonal = tables[quantity.diagonals].where(experiment=experiment, **{quantity.row: chosen})
    scores = tables[quantity.scores].where(experiment=experiment)
    return _Column(
        (experiment, layers.label_of(chosen), null_text(layers.null_of(chosen))),
        (f"scores, {null_text(layers.nulls)}",),
        timeline,
        diagonal_grid(diagonal, timeline),
        grid(scores, quantity.row, layers.names, timeline.column, f"{quantity.name}_score"),
    )


def _draw_column(
    axes: Sequence[Axes], column: _Column, titles: Sequence[str], colours: ColourScale
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
