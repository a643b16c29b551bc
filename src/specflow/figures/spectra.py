"""Spectra over time: singular values, and what follows from them (figure 3 of the paper)."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from specflow.figures import heatmaps, lines, style
from specflow.figures.registry import figure, has_rows
from specflow.figures.subjects import Subject
from specflow.figures.timeline import Timeline
from specflow.frames import RANK, Tables

_INDICES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)  # on a colour bar
_COLUMNS = 3  # of panels of quantities


@figure(
    *("experiment", "checkpoints"),
    title="Normalized effective rank of all matrices",
    caption="Mean over seeds, depth downward (paper, figure 3, bottom row).",
    claims=("rank_falls", "grokking_is_low_rank", "grokking_coincides", "more_data_low_rank"),
    order=2,
)
def effective_rank(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw a row for each matrix."""
    fig.set_figheight(1.3 + heatmaps.height_of(subject.layers(tables, "matrix"), least=1.5))
    _draw_ranks(fig, fig.subplots(squeeze=False)[0], tables, [subject])


@figure(
    *("experiment", "checkpoints"),
    title="Singular values of one matrix",
    caption="Mean and one standard deviation over seeds of each (paper, figure 3, top row).",
    claims=("unequal_growth",),
    when=has_rows("singular_values"),
    order=3,
)
def singular_values(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw a line for each singular value."""
    fig.set_figheight(3.6)
    _draw_values(fig, fig.subplots(squeeze=False)[0], tables, [subject])


@figure(
    "problems",
    title="Singular values of one matrix (mean and one standard deviation), effective rank of all",
    caption="A column for each problem; each row has one scale of colours (paper, figure 3).",
    claims=("unequal_growth",),
)
def problems_spectra(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw the rows of both figures of one experiment."""
    fig.set_figheight(5.4)
    upper, lower = fig.subplots(2, len(subject.members), squeeze=False)
    _draw_values(fig, upper, tables, subject.members)
    _draw_ranks(fig, lower, tables, subject.members)


@figure(
    *("experiment", "checkpoints"),
    title="Spectral quantities of all matrices",
    caption="Mean over seeds, a line for each matrix.",
    when=has_rows("singular_values"),
    order=8,
)
def quantities(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw a panel for each quantity that is registered."""
    from specflow.spectra.quantities import QUANTITIES  # here, since it imports torch

    rows, layers = subject.rows(tables, "spectra"), subject.layers(tables, "matrix")
    num_rows = math.ceil(len(QUANTITIES) / _COLUMNS)
    fig.set_figheight(0.8 + 1.6 * num_rows)
    grids = fig.subplots(num_rows, _COLUMNS, squeeze=False)
    cycle = style.spread_colours(style.DEPTH_MAP, len(layers))
    for axes, name in zip(grids.flat, QUANTITIES, strict=False):
        values = heatmaps.grid(rows, "matrix", layers.index, name)
        axes.set_prop_cycle(color=cycle)
        axes.plot(values.columns, values.T, linewidth=1.0)
        axes.set_title(style.quantity_label(name))
        subject.timeline(tables).apply(axes, values.columns)
    for axes in grids.flat[len(QUANTITIES) :]:
        axes.axis("off")
    depths = ScalarMappable(Normalize(1, max(len(layers), 2)), style.DEPTH_MAP)
    bar = heatmaps.add_colour_bar(fig, grids.flat, [depths], "depth (number of the matrix)")
    bar.set_ticks(MaxNLocator(integer=True))
    bar.ax.invert_yaxis()


@figure(
    "checkpoints",
    title="Change of all matrices since the checkpoint before",
    caption="Norm of the difference over that of the matrix before, and cosine with it.",
    when=has_rows("changes"),
    order=6,
)
def changes(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw how far, and in which direction, matrices went."""
    relative = heatmaps.scores_of(subject, tables, "changes", "relative_change")
    cosine = heatmaps.scores_of(subject, tables, "changes", "cosine")
    logarithm = relative._replace(values=np.log10(relative.values.where(relative.values > 0)))
    fig.set_figheight(1.5 + heatmaps.height_of(cosine.layers, least=1.3))
    left, right = fig.subplots(1, 2, sharey=True)
    name = "log10 of the relative change"
    heatmaps.draw_score_row(fig, [left], [logarithm], style.CHANGE_MAP, name)
    heatmaps.draw_score_row(fig, [right], [cosine], style.CHANGE_MAP, "cosine")


def draw_evolution(axes: Axes, rows: pd.DataFrame, timeline: Timeline, last: int) -> ScalarMappable:
    """Draw a line for each singular value of one matrix, with a band of one standard deviation.

    The colours that are returned are those of index 1 to `last`, on a log scale since the first few
    matter most.
    """
    colours = ScalarMappable(LogNorm(1, max(last, 2)), style.SINGULAR_INDEX_MAP)
    for index, own in list(rows.groupby("index"))[::-1]:  # the first on top
        colour = tuple(colours.to_rgba(index))
        lines.draw_curve(axes, own.set_index("time"), colour, linewidth=0.9)
    axes.set_ylim(0, 1.04 * (rows["mean"] + rows["std"].fillna(0)).max() or 1.0)
    timeline.apply(axes, rows["time"])
    return colours


def label_index_bar(bar: Colorbar) -> None:
    """Put round numbers on a colour bar of indices of singular values."""
    ticks = [tick for tick in _INDICES if tick <= (bar.norm.vmax or 1)]
    bar.set_ticks(ticks, labels=[str(tick) for tick in ticks])
    bar.minorticks_off()


def _draw_values(
    fig: Figure, row: Sequence[Axes], tables: Tables, members: Sequence[Subject]
) -> None:
    """Draw the singular values of the chosen matrix of each member."""
    chosen = [member.chosen(tables, "matrix") for member in members]
    values = [
        member.rows(tables, "singular_values", matrix=matrix)
        for member, matrix in zip(members, chosen, strict=True)
    ]
    last = max(int(rows["index"].max()) for rows in values)
    for axes, member, rows in zip(row, members, values, strict=True):
        colours = draw_evolution(axes, rows, member.timeline(tables), last)
    layers = [member.layers(tables, "matrix")["label"] for member in members]
    titles = [(own[one],) for own, one in zip(layers, chosen, strict=True)]
    style.title_columns(row, titles, [str(member.name) for member in members])
    row[0].set_ylabel("singular value")
    bar = heatmaps.add_colour_bar(fig, row, [colours], "index i (1 = largest)")
    label_index_bar(bar)
    bar.ax.invert_yaxis()


def _draw_ranks(
    fig: Figure, row: Sequence[Axes], tables: Tables, members: Sequence[Subject]
) -> None:
    """Draw the normalized effective rank of all matrices of each member."""
    columns = [heatmaps.scores_of(member, tables, "spectra", RANK) for member in members]
    label = style.quantity_label(RANK)
    heatmaps.draw_score_row(fig, row, columns, style.EFFECTIVE_RANK_MAP, label)
