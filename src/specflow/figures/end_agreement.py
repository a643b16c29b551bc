"""Agreement of singular vectors between branch ends against the split point."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from specflow.figures.branches import UNIT, experiment_of, timeline_of
from specflow.figures.curves import draw_curve, line_key
from specflow.figures.grouping import Curve, curve, grid
from specflow.figures.heatmap import (
    ROW_HEIGHT,
    ColourScale,
    add_colour_bar,
    draw_heatmap,
    draw_null_strip,
    label_rows,
    null_text,
)
from specflow.figures.layers import matrices_of
from specflow.figures.style import AGREEMENT_MAP, NULL_COLOUR, new_figure
from specflow.params.figures import FiguresParams
from specflow.tables.reading import Tables

_MEAN_HEIGHT = 1.6  # inches
_MEAN_COLOUR = "#0072B2"


def draw_end_agreement(tables: Tables, connection: str, params: FiguresParams) -> Figure:
    """Draw the agreement score of every matrix, and below it the mean over matrices.

    Mean (and, of the mean over matrices, one standard deviation) over trunks and pairs of branches.

    Args:
        tables: connections, matrices and end_agreement are read.
        connection: Which one.
        params: The figures section; time is drawn as for the connection's experiment.

    Returns:
        The figure.
    """
    layers = matrices_of(tables, experiment_of(tables, connection))
    timeline = timeline_of(tables, connection, params)
    table = tables["end_agreement"].where(connection=connection, relation="within")
    scores = grid(table, "matrix", layers.names, timeline.split_column, "agreement_score")
    mean = curve(table, timeline.split_column, "agreement_score", UNIT)
    height = max(ROW_HEIGHT * len(layers.names), 1.2)
    figure = new_figure(_MEAN_HEIGHT + height + 1.8)
    upper, lower = figure.subplots(2, height_ratios=[height, _MEAN_HEIGHT])
    colours = ColourScale.around(AGREEMENT_MAP, np.append(scores.values, 0))
    mesh = draw_heatmap(upper, scores, timeline, colours)
    label_rows(upper, layers.labels)
    draw_null_strip(upper, layers.nulls, colours)
    upper.set_title(f"by matrix ({null_text(layers.nulls)})")
    timeline.apply(upper, scores.x, "")
    add_colour_bar(figure, upper, mesh, "agreement score")
    keys = _draw_mean(lower, mean, float(np.mean(layers.nulls)))
    timeline.apply(lower, scores.x, f"{timeline.unit} of the split")
    figure.legend(handles=keys, loc="outside lower center", ncols=2)
    figure.suptitle(f"Agreement of singular vectors between branch ends: {connection}")
    return figure


def _draw_mean(axes: Axes, mean: Curve, null: float) -> list[Line2D]:
    draw_curve(axes, mean, _MEAN_COLOUR, marker="o")
    axes.axhline(null, color=NULL_COLOUR, linestyle="--", linewidth=1.2)
    # the null level is close to 0: keep it off the frame
    axes.set_ylim(-0.04 * np.max(mean.mean, initial=0), None)
    axes.set_title("mean over matrices")
    axes.set_ylabel("agreement score")
    return [
        line_key("branch ends", _MEAN_COLOUR, marker="o", markersize=3.5),
        line_key(f"unrelated matrices ({null:.2g})", NULL_COLOUR, linestyle="--"),
    ]
