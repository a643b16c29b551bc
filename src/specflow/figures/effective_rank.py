"""Normalized effective rank of all matrices over time (figure 3, bottom row, of the paper)."""

from matplotlib.figure import Figure

from specflow.figures.grouping import grid
from specflow.figures.heatmap import (
    ROW_HEIGHT,
    ColourScale,
    add_colour_bar,
    draw_heatmap,
    label_rows,
)
from specflow.figures.layers import matrices_of
from specflow.figures.style import EFFECTIVE_RANK_MAP, new_figure
from specflow.figures.timeline import Timeline
from specflow.params.figures import FiguresParams
from specflow.tables.reading import Tables


def draw_effective_rank(tables: Tables, experiment: str, params: FiguresParams) -> Figure:
    """Draw the mean over seeds of the normalized effective rank, depth downward.

    Args:
        tables: matrices and spectra are read.
        experiment: Which one.
        params: The figures section.

    Returns:
        The figure.
    """
    layers = matrices_of(tables, experiment)
    timeline = Timeline.of(params.of(experiment))
    ranks = grid(
        tables["spectra"].where(experiment=experiment),
        "matrix",
        layers.names,
        timeline.column,
        "normalized_effective_rank",
    )
    figure = new_figure(height=max(1.3 + ROW_HEIGHT * len(layers.names), 2.8))
    axes = figure.subplots()
    colours = ColourScale.around(EFFECTIVE_RANK_MAP, ranks.values)
    mesh = draw_heatmap(axes, ranks, timeline, colours)
    label_rows(axes, layers.labels)
    timeline.apply(axes, ranks.x)
    add_colour_bar(figure, axes, mesh, "normalized effective rank")
    figure.suptitle(f"Normalized effective rank of all matrices: {experiment}")
    return figure
