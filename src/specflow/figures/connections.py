"""Branch endpoints: barriers and interpolation between them, their agreement, perturbations."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from specflow.figures import heatmaps, lines
from specflow.figures.losses import baseline, nearest_to_half, pruning_legend, variants_of
from specflow.figures.registry import figure, has_rows
from specflow.figures.style import (
    AGREEMENT_MAP,
    NULL_LINE,
    SPLIT_POINT_MAP,
    SPLITS,
    ZERO_LINE,
    metric_title,
    null_text,
    spread_colours,
)
from specflow.figures.subjects import Subject
from specflow.frames import Tables, where

_UNIT = ("trunks", "branches")  # means and deviations are over these
_OVER = "mean and one standard deviation over trunks and pairs of branches"
_MEAN_HEIGHT = 1.6  # inches
_BLUE, _ORANGE = "#0072B2", "#D55E00"
_Looks = Mapping[tuple[str, str], Any]  # by label and colour of a curve


@figure(
    "connection",
    title="Barriers between branch endpoints",
    caption=f"Against the split point; {_OVER}.",
    claims=("late_split_connected", "connected_share_directions"),
    order=1,
)
def barriers(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw a column for each metric, training data above validation data."""
    rows = subject.rows(tables, "barriers", relation="within")
    timeline, variants = subject.timeline(tables), variants_of(rows)
    metrics, looks = rows["metric"].unique(), [one.line | {"marker": "o"} for one in variants]
    fig.set_figheight(5.0)
    grid = fig.subplots(len(SPLITS), len(metrics), sharex=True, sharey="col", squeeze=False)
    for metric, column in zip(metrics, grid.T, strict=True):
        own = where(rows, metric=metric)
        curves = [
            [lines.curve(one.of(where(own, split=split)), "barrier", _UNIT) for one in variants]
            for split in SPLITS
        ]
        lines.scale_around_zero(column[0], [one for both in curves for one in both])
        for axes, split, measured in zip(column, SPLITS, curves, strict=True):
            lines.draw_curves(axes, measured, looks, timeline)
            axes.axhline(0, **ZERO_LINE)
            axes.set_title(metric_title(split, metric))
    for axes in grid[:, 0]:
        axes.set_ylabel("barrier")
    fig.legend(**pruning_legend(variants), loc="outside lower center")


@figure(
    "connection",
    title="On the interpolation path between branch endpoints",
    caption=f"Every metric on validation data, a colour for each split point; {_OVER}.",
    claims=("late_split_connected",),
    order=2,
)
def interpolation(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw a row for each metric, columns of full, top and bottom kept (nearest to one half)."""
    rows = subject.rows(tables, "interpolation", relation="within", split="validation")
    history = where(tables["history"], experiment=subject.experiment)
    variants, metrics = nearest_to_half(variants_of(rows)), rows["metric"].unique()
    levels = [baseline(history, metric, "validation") for metric in metrics]
    splits = np.unique(rows["time"])
    colours = dict(zip(splits, spread_colours(SPLIT_POINT_MAP, len(splits)), strict=True))
    fig.set_figheight(1.3 + 1.9 * len(metrics))
    grid = fig.subplots(len(metrics), len(variants), sharex=True, squeeze=False)
    for row, metric, level in zip(grid, metrics, levels, strict=True):
        own = where(rows, metric=metric)
        curves = {
            (axes, split): lines.curve(where(variant.of(own), time=split), "value", _UNIT, "alpha")
            for axes, variant in zip(row, variants, strict=True)
            for split in splits
        }
        for axes in row:  # pruned losses may lie far above what the full network's barrier takes
            means = [one["mean"] for (own, _), one in curves.items() if own is axes]
            lines.scale_ordinate(axes, [level, *means])
            axes.set_xlim(0, 1)
            for height in level:
                axes.axhline(height, **NULL_LINE)
        for (axes, split), measured in curves.items():
            lines.draw_curve(axes, measured, colours[split])
        row[0].set_ylabel(metric_title("validation", metric))
    for variant, top, bottom in zip(variants, grid[0], grid[-1], strict=True):
        top.set_title(variant.label)
        bottom.set_xlabel("alpha")
    keys = [lines.line_key(f"{split:g}", colour) for split, colour in colours.items()]
    keys += [lines.line_key("baseline", **NULL_LINE)] if any(levels) else []
    title = subject.timeline(tables).unit
    fig.legend(handles=keys, title=title, loc="outside lower center", ncols=8)


@figure(
    "connection",
    title="Agreement of singular vectors between branch endpoints",
    caption=f"Score of every matrix against the split point, and the mean over matrices; {_OVER}.",
    claims=("connected_share_directions",),
    order=3,
)
def endpoint_agreement(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw a row for each matrix, and below it their mean."""
    rows = subject.rows(tables, "endpoint_agreement", relation="within")
    scores = heatmaps.scores_of(
        subject, tables, "endpoint_agreement", "agreement_score", relation="within"
    )
    nulls = scores.layers["null"]
    heights = (heatmaps.height_of(scores.layers), _MEAN_HEIGHT)
    fig.set_figheight(sum(heights) + 1.8)
    upper, lower = fig.subplots(2, height_ratios=heights)
    heatmaps.draw_score_row(fig, [upper], [scores], AGREEMENT_MAP, "agreement score", nulls=True)
    upper.set_title(f"by matrix ({null_text(nulls)})")
    keys = _draw_agreement(lower, {("branch endpoints", _BLUE): rows}, "time", nulls.mean())
    scores.timeline.apply(lower, scores.values.columns)
    fig.legend(handles=keys, loc="outside lower center", ncols=2)


@figure(
    "connection",
    title="Branch endpoints of one trunk and of two",
    caption=f"Barriers and agreement against the split point; {_OVER} (of two trunks: over pairs "
    "of trunks and branches).",
    claims=("trunks_unconnected", "trunks_share_nothing"),
    when=has_rows("barriers", relation="across"),
    order=4,
)
def across(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw both relations against the split point."""
    groups = {
        ("two branches of one trunk", _BLUE): {"relation": "within"},
        ("branches of two trunks", _ORANGE): {"relation": "across"},
    }
    splits = subject.rows(tables, "barriers", relation="within")["time"]
    for axes in _draw_endpoints(fig, tables, subject, groups, "time"):
        subject.timeline(tables).apply(axes, splits)


@figure(
    "connection",
    title="Branch endpoints after a perturbation of the split point",
    caption=f"Barriers and agreement; scale 0 is the split point as it was; {_OVER}.",
    claims=("perturbation_breaks",),
    when=has_rows("barriers", relation="perturbed"),
    order=5,
)
def perturbation(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw both against the scale of the perturbation."""
    split = subject.rows(tables, "barriers", relation="perturbed").iloc[0]
    own = {"relation": ("within", "perturbed"), "split_step": split["split_step"]}
    for axes in _draw_endpoints(fig, tables, subject, {("branch endpoints", _BLUE): own}, "scale"):
        axes.set_xlabel(f"scale of perturbation\nat {subject.axis.x} {split['time']:g}")
        axes.set_xlim(0, None)


def _draw_endpoints(
    fig: Figure, tables: Tables, subject: Subject, groups: _Looks, x: str
) -> Sequence[Axes]:
    """Draw barriers of every metric, and the mean agreement with its null level, side by side.

    Each of `groups`, what columns of its rows hold, is a curve over the column `x`, an axis that is
    left to the caller.
    """
    full = {"keep": "full", "split": "validation"}
    heights = {k: subject.rows(tables, "barriers", **own, **full) for k, own in groups.items()}
    scores = {k: subject.rows(tables, "endpoint_agreement", **own) for k, own in groups.items()}
    metrics = next(iter(heights.values()))["metric"].unique()
    fig.set_figheight(3.2)
    row = fig.subplots(1, len(metrics) + 1, sharex=True, squeeze=False)[0]
    for axes, metric in zip(row, metrics, strict=False):
        for (_, colour), rows in heights.items():
            measured = lines.curve(where(rows, metric=metric), "barrier", _UNIT, x)
            lines.draw_curve(axes, measured, colour, marker="o")
        axes.axhline(0, **ZERO_LINE)
        axes.set_title(metric_title("validation", metric))
        axes.set_ylabel("barrier")
    null = subject.layers(tables, "matrix")["null"].mean()
    keys = _draw_agreement(row[-1], scores, x, null)
    fig.legend(handles=keys, loc="outside lower center", ncols=len(keys))
    return row


def _draw_agreement(axes: Axes, groups: _Looks, x: str, null: float) -> list[Line2D]:
    """Draw the mean agreement of each group's rows with its null level; return the legend."""
    curves = [lines.curve(rows, "agreement_score", _UNIT, x) for rows in groups.values()]
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
