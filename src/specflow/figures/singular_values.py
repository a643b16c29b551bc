"""How all singular values of a matrix evolve (figure 3, top row, of the paper)."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colorbar import Colorbar
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from specflow.figures.grouping import grid
from specflow.figures.layers import matrices_of
from specflow.figures.style import SINGULAR_INDEX_MAP, new_figure
from specflow.figures.timeline import Timeline
from specflow.params.figures import FiguresParams, chosen_matrix
from specflow.tables.reading import Table, Tables


def draw_evolution(
    axes: Axes, table: Table, timeline: Timeline, last: int | None = None
) -> ScalarMappable:
    """Draw a line for each singular value with a band of one standard deviation.

    Args:
        axes: Where to draw; its vertical axis is set to the range of the lines.
        table: Rows of singular_values.csv of one matrix of one experiment.
        timeline: The horizontal axis; it is left to the caller to apply and label it.
        last: Index at which the colours end; None means that of the last singular value.

    Returns:
        The colours of the lines by index from 1, on a log scale since the first few matter most.
    """
    indices = np.unique(table.numbers("index")).tolist()
    x, mean = grid(table, "index", indices, timeline.column, "mean")
    std = grid(table, "index", indices, timeline.column, "std").values
    colours = ScalarMappable(LogNorm(1, max(last or len(indices), 2)), SINGULAR_INDEX_MAP)
    rgba = colours.to_rgba(np.array(indices))
    lower, upper = mean - std, mean + std
    bands = [
        np.concatenate([np.column_stack([x, low]), np.column_stack([x, high])[::-1]])
        for low, high in zip(lower, upper, strict=True)
    ]
    lines = [np.column_stack([x, values]) for values in mean]
    # the first singular value last, so that it lies on top
    axes.add_collection(PolyCollection(bands[::-1], facecolors=rgba[::-1], alpha=0.12, linewidth=0))
    axes.add_collection(LineCollection(lines[::-1], colors=rgba[::-1], linewidths=0.9))
    top = float(np.nanmax(upper, initial=0)) or 1.0
    axes.set_ylim(0, 1.04 * top)
    return colours


def draw_singular_values(tables: Tables, experiment: str, params: FiguresParams) -> Figure:
    """Draw all singular values of the chosen matrix against time.

    Args:
        tables: matrices and singular_values are read.
        experiment: Which one.
        params: The figures section.

    Returns:
        The figure.
    """
    layers = matrices_of(tables, experiment)
    matrix = chosen_matrix(params, experiment, layers.names)
    table = tables["singular_values"].where(experiment=experiment, matrix=matrix)
    timeline = Timeline.of(params.of(experiment))
    figure = new_figure(height=3.5)
    axes = figure.subplots()
    colours = draw_evolution(axes, table, timeline)
    timeline.apply(axes, table.numbers(timeline.column))
    axes.set_ylabel("singular value")
    bar = figure.colorbar(colours, ax=axes, label="rank (1 = largest)", pad=0.015, aspect=30)
    label_index_bar(bar)
    bar.ax.invert_yaxis()
    figure.suptitle(f"Singular values of {layers.label_of(matrix)}: {experiment}")
    return figure


def label_index_bar(bar: Colorbar) -> None:
    """Put round numbers on a colour bar of ranks."""
    ticks = [
        tick for tick in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if tick <= (bar.norm.vmax or 1)
    ]
    bar.set_ticks(ticks, labels=[str(tick) for tick in ticks])
    bar.minorticks_off()
    bar.outline.set_visible(False)
