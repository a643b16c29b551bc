"""Panels that compare groups of branch ends: the barrier of every metric, and the agreement."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from specflow.figures.branches import UNIT, experiment_of
from specflow.figures.curves import draw_curve, line_key
from specflow.figures.grouping import Curve, curve
from specflow.figures.layers import matrices_of
from specflow.figures.style import NULL_COLOUR
from specflow.tables.reading import Table, Tables

_MARKS = {"marker": "o", "markersize": 3.5}


@dataclass(frozen=True)
class Ends:
    """Lines between branch ends that are drawn as one curve.

    Attributes:
        label: What a legend calls them.
        colour: Of the curve.
        barriers: Barriers of the full model on validation data.
        agreement: Agreement scores of every matrix.
    """

    label: str
    colour: str
    barriers: Table
    agreement: Table


def ends_of(
    tables: Tables, connection: str, label: str, colour: str, **rows: str | float | tuple[str, ...]
) -> Ends:
    """Return the lines of a connection whose columns have the values of `rows`."""
    barriers = tables["barriers"].where(connection=connection, **rows)
    agreement = tables["end_agreement"].where(connection=connection, **rows)
    return Ends(label, colour, barriers.where(keep="full", split="validation"), agreement)


def draw_ends(
    tables: Tables, connection: str, figure: Figure, groups: Sequence[Ends], x: str
) -> list[Axes]:
    """Draw barriers of every metric, and the mean agreement with its null level, side by side.

    Mean and one standard deviation over trunks and pairs of branches; the legend says which curve
    is which.

    Args:
        tables: connections and matrices are read.
        connection: Which one.
        figure: Where to draw.
        groups: A curve each.
        x: Column of the abscissa; the axis is left to the caller to scale and label.

    Returns:
        The panels.
    """
    metrics = groups[0].barriers.distinct("metric")
    panels = figure.subplots(1, len(metrics) + 1, sharex=True, squeeze=False)[0]
    for axes, metric in zip(panels, metrics, strict=False):
        for group in groups:
            measured = curve(group.barriers.where(metric=metric), x, "barrier", UNIT)
            draw_curve(axes, measured, group.colour, marker="o")
        axes.axhline(0, color="#444444", linewidth=0.8)
        axes.set_title(f"validation {metric}")
        axes.set_ylabel("barrier")
    null = float(np.nanmean(matrices_of(tables, experiment_of(tables, connection)).nulls))
    scores = [curve(group.agreement, x, "agreement_score", UNIT) for group in groups]
    _draw_agreement(panels[-1], groups, scores, null)
    figure.legend(handles=_keys(groups, null), loc="outside lower center", ncols=len(groups) + 1)
    return list(panels)


def _draw_agreement(
    axes: Axes, groups: Sequence[Ends], scores: Sequence[Curve], null: float
) -> None:
    for group, score in zip(groups, scores, strict=True):
        draw_curve(axes, score, group.colour, marker="o")
    # unrelated ends lie on the null level: keep it above them
    axes.axhline(null, color=NULL_COLOUR, linestyle="--", linewidth=1.2, zorder=3)
    # the null level is close to 0: keep it off the frame
    highest = max(null, *(float(np.max(score.mean, initial=0)) for score in scores))
    axes.set_ylim(-0.04 * highest, None)
    axes.set_title("mean over matrices")
    axes.set_ylabel("agreement score")


def _keys(groups: Sequence[Ends], null: float) -> list[Line2D]:
    keys = [line_key(group.label, group.colour, **_MARKS) for group in groups]
    return [*keys, line_key(f"unrelated matrices ({null:.2g})", NULL_COLOUR, linestyle="--")]
