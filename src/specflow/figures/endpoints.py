"""Agreement of branch endpoints: of each matrix, along the diagonal, and against barriers."""

from collections.abc import Mapping
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from specflow.figures import heatmaps, lines
from specflow.figures.registry import figure, has_rows
from specflow.figures.style import (
    AGREEMENT_MAP,
    LINE_COLOURS,
    NULL_LINE,
    ZERO_LINE,
    null_text,
    title_columns,
)
from specflow.figures.subjects import Subject
from specflow.frames import Tables, where

UNIT = ("trunks", "branches")  # means and deviations are over these
_MEAN_HEIGHT = 1.6  # inches
_DIAGONAL_HEIGHT = 2.2
ONE_TRUNK, TWO_TRUNKS = "#222222", "#CC79A7"  # colours of their branch endpoints
_PATH = ["connection", "relation", "trunks", "split_step", "scale", "branches"]
# How the two ends of a path are related: what it is called, and the mark of a path.
_RELATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "within": ("two branches of one trunk", {"marker": "o", "markersize": 4}),
    "perturbed": ("the same, split point perturbed", {"marker": "^", "markersize": 4.5}),
    "across": ("branches of two trunks", {"marker": "x", "markersize": 4}),
}


@figure(
    "connection",
    title="Agreement of singular vectors between branch endpoints",
    caption="Score of every matrix against the split point, and the mean over matrices: near 1, "
    "both branches end with the same top singular vectors; at the null level, with none in common. "
    "Mean and one standard deviation over trunks and pairs of branches.",
    claims=("connected_share_directions",),
    order=3,
)
def endpoint_agreement(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw a row for each matrix, and below it their mean."""
    rows = subject.rows(tables, "endpoint_agreement", relation="within")
    layers, timeline = subject.layers(tables, "matrix"), subject.timeline(tables)
    heights = (heatmaps.height_of(layers), _MEAN_HEIGHT)
    fig.set_figheight(sum(heights) + 1.8)
    upper, lower = fig.subplots(2, height_ratios=heights)
    draw_layers(upper, tables, subject, rows, "time")
    groups = {("branch endpoints", ONE_TRUNK): rows}
    keys = draw_agreement(lower, groups, "time", layers["null"].mean())
    timeline.apply(lower, rows["time"])
    fig.legend(handles=keys, loc="outside lower center", ncols=2)


def draw_layers(
    axes: Axes, tables: Tables, subject: Subject, rows: pd.DataFrame, x: str, of: str = ""
) -> None:
    """Draw the mean agreement of every matrix over a column `x`, with its null level.

    The title says `of` what if other endpoints stand beside these.
    """
    layers, fig = subject.layers(tables, "matrix"), axes.get_figure(root=True)
    assert fig is not None, "a panel of a figure"
    scores = heatmaps.grid(rows.assign(time=rows[x]), "matrix", layers.index, "agreement_score")
    colours = heatmaps.colour_scale(AGREEMENT_MAP, [[0, 1], scores, layers["null"]])
    mesh = heatmaps.draw_columns(axes, scores, colours)
    heatmaps.label_rows(axes, layers["label"])
    heatmaps.draw_null_strip(axes, layers["null"], colours)
    axes.set_xlabel("scale of the perturbation" if x == "scale" else subject.timeline(tables).unit)
    axes.set_title(f"by matrix{of} ({null_text(layers['null'])})")
    heatmaps.add_colour_bar(fig, [axes], [mesh], "agreement score")


def draw_agreement(
    axes: Axes, groups: Mapping[tuple[str, str], pd.DataFrame], x: str, null: float
) -> list[Line2D]:
    """Draw the mean agreement of each group's rows over a column `x`, with its null level.

    Groups go by label and colour.

    Returns:
        The entries of a legend.
    """
    curves = [lines.curve(rows, "agreement_score", UNIT, x) for rows in groups.values()]
    for (_, colour), measured in zip(groups, curves, strict=True):
        lines.draw_curve(axes, measured, colour, marker="o")
    # unrelated endpoints lie on the null level: keep it above them
    axes.axhline(null, **NULL_LINE, zorder=3)
    # the null level is close to 0: keep it off the frame
    highest = pd.concat([pd.Series([null]), *(one["mean"] for one in curves)]).max()
    axes.set_ylim(-0.04 * highest, None)
    axes.set_title("mean over matrices")
    axes.set_ylabel("agreement score")
    keys = [lines.line_key(label, colour, marker="o", markersize=3.5) for label, colour in groups]
    return [*keys, lines.line_key(f"unrelated matrices ({null:.2g})", **NULL_LINE)]


@figure(
    "connection",
    title="Agreement of singular vectors between branch endpoints, one by one",
    caption="Diagonal of the agreement of one matrix, i the place in the spectrum, against the "
    "split point or the scale of its perturbation; means over trunks and pairs of branches.",
    claims=("connected_share_directions", "trunks_share_nothing", "perturbation_breaks"),
    when=has_rows("endpoint_diagonal"),
    order=4,
)
def endpoint_diagonal(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw a column for each relation of endpoints, and for each perturbed split point."""
    matrix = subject.chosen(tables, "matrix")
    rows = subject.rows(tables, "endpoint_diagonal", matrix=matrix)
    columns = _diagonals(rows, subject)
    fig.set_figheight(_DIAGONAL_HEIGHT + 1.3)
    widths = [diagonal.shape[1] for diagonal in columns.values()]
    grid = fig.subplots(1, len(columns), squeeze=False, width_ratios=widths, sharey=True)[0]
    colours = heatmaps.colour_scale(AGREEMENT_MAP, [[0, 1], *columns.values()])
    meshes = [
        heatmaps.draw_columns(axes, diagonal, colours)
        for axes, diagonal in zip(grid, columns.values(), strict=True)
    ]
    title_columns(grid, [(title,) for title, _ in columns])
    for axes, (_, unit) in zip(grid, columns, strict=True):
        axes.set_xlabel(unit or subject.timeline(tables).unit)
    grid[0].set_ylabel("index i")
    label = subject.layers(tables, "matrix").at[matrix, "label"]
    heatmaps.add_colour_bar(fig, grid, meshes, f"agreement,\n{label}")


def _diagonals(rows: pd.DataFrame, subject: Subject) -> dict[tuple[str, str], pd.DataFrame]:
    """Return diagonals by their title, and what they stand against if it is not the split."""
    indices, found = np.unique(rows["index"]), {}
    for relation in ("within", "across"):
        own = where(rows, relation=relation)
        if len(own):
            found[_RELATIONS[relation][0], ""] = heatmaps.grid(own, "index", indices, "mean")
    for time in np.unique(where(rows, relation="perturbed")["time"]):
        own = where(rows, relation=("within", "perturbed"), time=time)
        title = f"perturbed at {subject.axis.x} {time:.3g}"
        own = own.assign(time=own["scale"])
        found[title, "scale of the perturbation"] = heatmaps.grid(own, "index", indices, "mean")
    return found


def _has_shares(tables: Tables, subject: Subject) -> bool:
    return len(tables["connections"]) > 0 and len(_points(tables)) > 0


@figure(
    "project",
    title="Barrier against agreement of the endpoints",
    caption="A point for each path between two branch endpoints: validation loss barrier of the "
    "full model, as a share of the mean barrier across trunks (dashed), against the agreement "
    "score of the endpoints, mean over matrices. The paper's argument is that the more of their "
    "directions the endpoints share, the lower the barrier.",
    claims=("late_split_connected", "connected_share_directions", "perturbation_breaks"),
    when=_has_shares,
    order=1,
)
def barrier_and_agreement(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw a colour for each connection, a mark for each relation of endpoints."""
    points, axes = _points(tables), fig.subplots()
    fig.set_figheight(4.6)
    colours = dict(zip(points["connection"].unique(), cycle(LINE_COLOURS[1:]), strict=False))
    for relation, (_, mark) in _RELATIONS.items():
        for connection, colour in colours.items():
            own = where(points, relation=relation, connection=connection)
            look = {"color": colour, "linestyle": "none", "alpha": 0.65, **mark}
            axes.plot(own["agreement_score"], own["share"], markerfacecolor="none", **look)
    axes.axhline(0, **ZERO_LINE)
    axes.axhline(1, **NULL_LINE)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("agreement score of the endpoints, mean over matrices")
    axes.set_ylabel("validation loss barrier,\nshare of that across trunks")
    names = [
        lines.line_key(subject.params.title(name), one, linewidth=4)
        for name, one in colours.items()
    ]
    related = [
        lines.line_key(label, "#444444", linestyle="none", markerfacecolor="none", **mark)
        for relation, (label, mark) in _RELATIONS.items()
        if relation in set(points["relation"])
    ]
    fig.legend(handles=names, loc="outside lower left", ncols=2)
    fig.legend(handles=related, loc="outside lower right", ncols=1)


def _points(tables: Tables) -> pd.DataFrame:
    """Return agreement and barrier of every path of connections that go across trunks.

    Columns are those of a path, `agreement_score` (mean over matrices) and `share`, the barrier
    over the mean of those across trunks.
    """
    heights = where(tables["barriers"], split="validation", keep="full", metric="loss")
    whole = where(heights, relation="across").groupby("connection")["barrier"].mean()
    heights = heights[heights["connection"].isin(whole.index[whole > 0])]
    share = heights["barrier"] / heights["connection"].map(whole)
    scores = tables["endpoint_agreement"].groupby(_PATH)["agreement_score"].mean().reset_index()
    return heights.assign(share=share)[[*_PATH, "share"]].merge(scores, on=_PATH)
