"""Spectra over time: singular values, and what follows from them (figure 3 of the paper)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from specflow.figures import depth, heatmaps, lines, panels, style
from specflow.figures.registry import figure, has_table, over_steps
from specflow.figures.subjects import Subject
from specflow.figures.timeline import Timeline
from specflow.frames import RANK, Tables

_INDICES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)  # on a colour bar
# Part of the caption of what `draw_quantities` draws.
OF_MANY = (
    "There are too many matrices for lines of their own: the median of all, the middle half and "
    "the middle 90% of them."
)
_COLUMNS = 3  # of panels of quantities
_SMALL_COLUMNS = 4  # of panels of matrices
_CHANGE = "change since the first checkpoint"
_OTHERS = {
    "mass_rank": style.EFFECTIVE_RANK_MAP,
    "stable_rank": style.STABLE_RANK_MAP,
    "gini": style.GINI_MAP,
}


@figure(
    *("experiment", "checkpoints"),
    title="Normalized effective rank of all matrices",
    caption="Each matrix has a row, from the input of the network down to its output: left its "
    "rank, right how far that is from where it began, blue where rank fell (paper, figure 3, "
    "bottom row).",
    over_seeds="Mean over seeds.",
    claims=("rank_falls", "grokking_is_low_rank", "grokking_coincides", "more_data_low_rank"),
    when=over_steps("spectra"),
    order=2,
)
def effective_rank(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw a row for each matrix."""
    fig.set_figheight(1.7 + heatmaps.height_of(subject.layers(tables, "matrix"), least=1.5))
    _draw_ranks(fig, fig.subplots(1, 2, squeeze=False), tables, [subject])


@figure(
    *("experiment", "checkpoints"),
    title="Singular values of one matrix",
    caption="Each singular value has a line: the top ones grow out of the rest, if growth is "
    "unequal (paper, figure 3, top row).",
    over_seeds="Mean and one standard deviation over seeds of each.",
    claims=("unequal_growth",),
    when=over_steps("singular_values"),
    order=3,
)
def singular_values(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw a line for each singular value."""
    fig.set_figheight(3.6)
    _draw_values(fig, [fig.subplots()], tables, [subject])


@figure(
    "problems",
    title="Singular values of one matrix, effective rank of all",
    caption="A row for each problem. Left: each singular value of one matrix. Middle: normalized "
    "effective rank of every matrix, from input down to output. Right: how far that is from where "
    "it began, blue where rank fell (paper, figure 3).",
    over_seeds="Mean over seeds; bands are one standard deviation.",
    claims=("unequal_growth", "rank_falls"),
)
def problems_spectra(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw both figures of each experiment side by side."""
    layers = [member.layers(tables, "matrix") for member in subject.members]
    heights = [heatmaps.height_of(own, least=1.5) for own in layers]
    fig.set_figheight(sum(heights) + 0.75 * len(heights) + 0.9)
    grid = fig.subplots(len(heights), 3, squeeze=False, height_ratios=heights)
    _draw_values(fig, list(grid[:, 0]), tables, subject.members)
    _draw_ranks(fig, grid[:, 1:], tables, subject.members)


@figure(
    *("experiment", "checkpoints"),
    title="Singular values of several matrices",
    caption="As the figure of one matrix, in the order of depth; every panel has its own axis.",
    over_seeds="Mean and one standard deviation over seeds of each.",
    claims=("unequal_growth",),
    when=lambda tables, subject: bool(subject.several(tables, "matrix")),
    order=3,
    folded=True,
)
def several_singular_values(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw a small panel for each matrix that params choose."""
    matrices, timeline = subject.several(tables, "matrix"), subject.timeline(tables)
    titles = subject.layers(tables, "matrix")["label"].loc[matrices]
    grid = panels.small_panels(fig, list(titles), _SMALL_COLUMNS)
    values = [subject.rows(tables, "singular_values", matrix=matrix) for matrix in matrices]
    last = max(int(rows["index"].max()) for rows in values)
    for axes, rows in zip(grid, values, strict=True):
        colours = draw_evolution(axes, rows, timeline, last)
    panels.label_columns(grid, timeline.unit, _SMALL_COLUMNS)
    for axes in grid[::_SMALL_COLUMNS]:
        axes.set_ylabel("singular value")
    _add_index_bar(fig, grid, colours)


@figure(
    *("experiment", "checkpoints"),
    title="Mass rank, stable rank and Gini index of all matrices",
    caption="Each matrix has a row, from the input of the network down to its output. Mass rank: "
    "share of directions that hold most of the spectrum. Stable rank: over the number of "
    "directions. Gini index: 0 for equal singular values, near 1 if few are large.",
    over_seeds="Mean over seeds.",
    order=8,
    folded=True,
)
def other_ranks(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw a heatmap for each other measure of how unequal a spectrum is."""
    directions = subject.directions(tables)
    fig.set_figheight(1.7 + heatmaps.height_of(subject.layers(tables, "matrix"), least=1.5))
    grid = fig.subplots(1, len(_OTHERS), sharey=True)
    for axes, (name, colours) in zip(grid, _OTHERS.items(), strict=True):
        scores = heatmaps.scores_of(subject, tables, "spectra", name)
        label = style.quantity_label(name)
        if name == "stable_rank":
            shares = scores.values.div(directions.loc[scores.layers.index], axis=0)
            scores, label = scores._replace(values=shares), f"{label} / number of directions"
        heatmaps.draw_score_row(fig, [axes], [scores], colours, label, below=True)


@figure(
    *("experiment", "checkpoints"),
    title="Spectral quantities of all matrices",
    caption="A line for each matrix; colours go from the input of the network to its output.",
    over_seeds="Mean over seeds.",
    of_many=OF_MANY,
    when=over_steps("singular_values"),
    order=8,
)
def quantities(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw a panel for each quantity that is registered and always measured."""
    from specflow.spectra.quantities import QUANTITIES  # here, since it imports torch

    draw_quantities(fig, tables, subject, [q for q, one in QUANTITIES.items() if not one.family])


def draw_quantities(
    fig: Figure,
    tables: Tables,
    subject: Subject,
    names: Sequence[str],
    marker: str = "",
    least: int = 0,
    none: str = "none",
) -> list[Axes]:
    """Draw a panel for each of some quantities: a line for each matrix, of one step against depth.

    Of several steps of very many matrices there are bands. A marker shows values between steps
    where a quantity is not defined. Matrices of less than `least` directions are not shown. Where
    nothing is, the panel says `none`.
    """
    rows, layers = subject.rows(tables, "spectra"), subject.layers(tables, "matrix")
    is_small = rows["matrix"].map(subject.directions(tables)) < least
    rows = rows.assign(**{name: rows[name].mask(is_small) for name in names})
    num_columns = 2 if len(names) == 4 else _COLUMNS
    grid = panels.small_panels(fig, [style.quantity_label(name) for name in names], num_columns)
    for axes, name in zip(grid, names, strict=True):
        if rows[name].isna().all():
            panels.say(axes, none)
            axes.set_yticks([])
    if rows["time"].nunique() == 1:
        depth.draw_each(fig, grid, depth.with_roles(rows, tables, subject), names)
        panels.label_columns(grid, depth.AXIS, num_columns)
        return grid
    timeline, has_many = subject.timeline(tables), subject.has_many(tables)
    for axes, name in zip(grid, names, strict=True):
        values = heatmaps.grid(rows, "matrix", layers.index, name)
        keys = lines.draw_all(axes, values, has_many=has_many, marker=marker)
        timeline.apply(axes, values.columns)
    panels.label_columns(grid, timeline.unit, num_columns)
    depth.explain_lines(fig, grid, len(layers), keys)
    return grid


@figure(
    "checkpoints",
    title="Change of all matrices since the checkpoint before",
    caption="Norm of the difference over that of the matrix before, and cosine with it.",
    when=has_table("changes"),
    order=6,
)
def changes(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw how far, and in which direction, matrices went."""
    relative, cosine = (
        _from_first(heatmaps.scores_of(subject, tables, "changes", name), subject, tables)
        for name in ("relative_change", "cosine")
    )
    logarithm = relative._replace(values=np.log10(relative.values.where(relative.values > 0)))
    fig.set_figheight(1.5 + heatmaps.height_of(cosine.layers, least=1.3))
    left, right = fig.subplots(1, 2, sharey=True)
    name = "log10 of the relative change"
    heatmaps.draw_score_row(fig, [left], [logarithm], style.CHANGE_MAP, name)
    heatmaps.draw_score_row(fig, [right], [cosine], style.CHANGE_MAP, "cosine")


def _from_first(scores: heatmaps.Scores, subject: Subject, tables: Tables) -> heatmaps.Scores:
    """Return scores with a column for every checkpoint, also the first, which has none before."""
    times = np.unique(subject.rows(tables, "spectra")["time"])
    return scores._replace(values=scores.values.reindex(columns=times))


def draw_evolution(axes: Axes, rows: pd.DataFrame, timeline: Timeline, last: int) -> ScalarMappable:
    """Draw a line for each singular value of one matrix, with a band of one deviation if known.

    The colours that are returned are those of index 1 to `last`, on a log scale since the first few
    matter most.
    """
    colours = ScalarMappable(LogNorm(1, max(last, 2)), style.SINGULAR_INDEX_MAP)
    for index, own in list(rows.groupby("index"))[::-1]:  # the first on top
        colour = tuple(colours.to_rgba(index))
        lines.draw_curve(axes, own.set_index("time"), colour, linewidth=0.9)
    highest = (rows["mean"] + rows["std"].fillna(0)).max()
    axes.set_ylim(0, 1.04 * highest if highest > 0 else 1.0)
    timeline.apply(axes, rows["time"])
    return colours


def label_index_bar(bar: Colorbar) -> None:
    """Put round numbers on a colour bar of indices of singular values."""
    ticks = [tick for tick in _INDICES if tick <= (bar.norm.vmax or 1)]
    bar.set_ticks(ticks, labels=[str(tick) for tick in ticks])
    bar.minorticks_off()


def _draw_values(
    fig: Figure, column: Sequence[Axes], tables: Tables, members: Sequence[Subject]
) -> None:
    """Draw the singular values of the chosen matrix of each member."""
    chosen = [member.chosen(tables, "matrix") for member in members]
    values = [
        member.rows(tables, "singular_values", matrix=matrix)
        for member, matrix in zip(members, chosen, strict=True)
    ]
    last = max(int(rows["index"].max()) for rows in values)
    for axes, member, matrix, rows in zip(column, members, chosen, values, strict=True):
        timeline = member.timeline(tables)
        colours = draw_evolution(axes, rows, timeline, last)
        label = member.layers(tables, "matrix").at[matrix, "label"]
        axes.set_title(f"{member.title}\n{label}" if len(members) > 1 else label)
        axes.set_ylabel("singular value")
        axes.set_xlabel(timeline.unit)
    _add_index_bar(fig, column, colours, below=len(members) > 1)


def _add_index_bar(
    fig: Figure, drawn: Sequence[Axes], colours: ScalarMappable, *, below: bool = False
) -> None:
    bar = heatmaps.add_colour_bar(fig, drawn, [colours], "index i (1 = largest)", below=below)
    label_index_bar(bar)
    if not below:
        bar.ax.invert_yaxis()


def _draw_ranks(fig: Figure, grid: np.ndarray, tables: Tables, members: Sequence[Subject]) -> None:
    """Draw normalized effective rank of all matrices of each member, and what it changed by."""
    name = style.quantity_label(RANK)
    rank = [heatmaps.scores_of(one, tables, "spectra", RANK) for one in members]
    change = [one._replace(values=one.values.sub(one.values.iloc[:, 0], axis=0)) for one in rank]
    ranks, changes = list(grid[:, 0]), list(grid[:, 1])
    heatmaps.draw_score_row(fig, ranks, rank, style.EFFECTIVE_RANK_MAP, name, below=True)
    heatmaps.draw_score_row(fig, changes, change, style.RANK_CHANGE_MAP, _CHANGE, below=True)
    for left, right, own in zip(ranks, changes, rank, strict=True):
        right.tick_params(labelleft=False)
        for axes in (left, right):
            axes.set_xlabel(own.timeline.unit)  # not the same in all rows
