"""Agreement of any two steps of a suite: one matrix, and the mean over all."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from specflow.figures.grouping import Grid
from specflow.figures.heatmap import ColourScale, add_colour_bar, draw_heatmap
from specflow.figures.style import AGREEMENT_MAP, new_figure
from specflow.figures.timeline import Timeline
from specflow.tables.reading import Numbers, Table

_MOST_TICKS = 12


def draw_agreements(table: Table, titles: dict[str, str], timeline: Timeline, title: str) -> Figure:
    """Draw the agreement of any two steps, the earlier of the two at the top and at the left.

    Args:
        table: suite_agreement of one suite.
        titles: Title of each panel, by the matrix that it shows.
        timeline: The horizontal axis; each step has a row of its own.
        title: Of the figure.

    Returns:
        The figure.
    """
    figure = new_figure(height=4.2)
    panels = figure.subplots(1, len(titles), sharey=True, squeeze=False)[0]
    colours = ColourScale.around(AGREEMENT_MAP, table.numbers("agreement_score"))
    for axes, (matrix, panel_title) in zip(panels, titles.items(), strict=True):
        square = _square(table.where(matrix=matrix))
        mesh = draw_heatmap(axes, square, timeline, colours)
        axes.set_title(panel_title, parse_math=False)
        timeline.apply(axes, square.x)
    _label_steps(panels[0], square.x)
    add_colour_bar(figure, panels, mesh, "agreement score")
    figure.suptitle(title, parse_math=False)
    return figure


def _square(rows: Table) -> Grid:
    """Return the scores of all pairs of steps, each of which the table has once."""
    steps = np.unique(rows.numbers("step"))
    first = np.searchsorted(steps, rows.numbers("step"))
    second = np.searchsorted(steps, rows.numbers("other_step"))
    values = np.full((len(steps), len(steps)), np.nan)
    values[first, second] = values[second, first] = rows.numbers("agreement_score")
    return Grid(steps, values)


def _label_steps(axes: Axes, steps: Numbers) -> None:
    count = min(len(steps), _MOST_TICKS)
    shown = np.linspace(0, len(steps) - 1, count).round().astype(int)
    axes.set_yticks(shown + 0.5, [f"{steps[place]:.0f}" for place in shown])
    axes.tick_params(axis="y", length=0)
    axes.set_ylabel("other step")
