"""Branch endpoints: barriers and interpolation between them, of one trunk, of two, perturbed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpecFromSubplotSpec
from matplotlib.lines import Line2D

from specflow.figures import heatmaps, lines
from specflow.figures.endpoints import (
    ONE_TRUNK,
    TWO_TRUNKS,
    UNIT,
    draw_agreement,
    draw_layers,
)
from specflow.figures.losses import nearest_to_half, pruning_legend, variants_of
from specflow.figures.registry import figure, has_rows
from specflow.figures.style import (
    DASHES,
    NULL_LINE,
    SPLIT_POINT_MAP,
    SPLITS,
    ZERO_LINE,
    metric_title,
    spread_colours,
)
from specflow.figures.subjects import Subject
from specflow.frames import Tables, where

_OVER = "mean and one standard deviation over trunks and pairs of branches"
_SHARES = (
    "Barriers are shares of the full model's across trunks (grey, mean over splits), if it was "
    "measured"
)
_ROOM = (-0.05, 0.1)  # shares of the barrier across trunks, which at least an axis has
_BARRIERS_HEIGHT, _MEAN_HEIGHT = 3.6, 1.8  # inches
_KEY_COLUMNS = 3
_LEVEL = NULL_LINE | {"linestyle": DASHES[3]}  # of the barrier across trunks


@dataclass(frozen=True)
class _Heights:
    """What rises above the chord is a share of: the full model's mean barrier across trunks.

    Attributes:
        across: Barriers of the full model across trunks; without any, heights are absolute.
    """

    across: pd.DataFrame

    @classmethod
    def of(cls, tables: Tables, subject: Subject) -> "_Heights":
        return cls(subject.rows(tables, "barriers", relation="across", keep="full"))

    @property
    def are_shares(self) -> bool:
        return len(self.across) > 0

    def unit(self, split: str, metric: str) -> float:
        """Return what a height of a metric is divided by; NaN where no barrier is across trunks."""
        if not self.are_shares:
            return 1.0
        mean = float(where(self.across, split=split, metric=metric)["barrier"].mean())
        return mean if mean > 0 else np.nan

    @property
    def label(self) -> str:
        return "share of the barrier\nacross trunks" if self.are_shares else "barrier"

    def scale(self, axes: Axes, curves: Sequence[pd.DataFrame], *, whole: bool) -> None:
        """Draw the chord, and what shares are of: always if `whole`, else where curves reach."""
        axes.axhline(0, **ZERO_LINE)
        if not self.are_shares:
            return
        ends = [c["mean"] + sign * c["std"].fillna(0) for c in curves for sign in (-1, 1)]
        reached = np.concatenate([_ROOM, [1.0] if whole else [], *ends])
        low, high = float(reached.min()), float(reached.max())
        if high >= 1:
            axes.axhline(1, **_LEVEL)
        axes.set_ylim(low - 0.04 * (high - low), high + 0.04 * (high - low))


@figure(
    "connection",
    title="Barriers between branch endpoints",
    caption="A barrier is the most that a metric rises above the chord on the straight path "
    "between two branch endpoints: near 0, these are linearly connected. Against the split point; "
    f"{_OVER}. {_SHARES}.",
    claims=("late_split_connected", "connected_share_directions"),
    order=1,
)
def barriers(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw a column for each metric, training data above validation data."""
    rows, metrics = subject.rows(tables, "barriers", relation="within"), subject.metrics(tables)
    fig.set_figheight(5.0)
    grid = fig.subplots(len(SPLITS), len(metrics), sharex=True, squeeze=False)
    _draw_barriers(grid, tables, subject, rows, "time")
    for axes in grid.flat:
        subject.timeline(tables).apply(axes, rows["time"])
    keys = _level_keys(_Heights.of(tables, subject))
    fig.legend(**pruning_legend(variants_of(rows), *keys), loc="outside lower center")


def _draw_barriers(
    grid: np.ndarray, tables: Tables, subject: Subject, rows: pd.DataFrame, x: str
) -> None:
    """Draw barriers over a column `x`: a column for each metric, a row for each part of the data.

    The horizontal axis is left to the caller.
    """
    heights, variants = _Heights.of(tables, subject), variants_of(rows)
    for column, (metric, label) in zip(grid.T, subject.metrics(tables).items(), strict=True):
        for axes, split in zip(column, SPLITS, strict=True):
            own = where(rows, metric=metric, split=split)
            own = own.assign(barrier=own["barrier"] / heights.unit(split, metric))
            curves = [lines.curve(one.of(own), "barrier", UNIT, x) for one in variants]
            for variant, curve in zip(variants, curves, strict=True):
                lines.draw_curve(axes, curve, **variant.line, marker="o")
            heights.scale(axes, curves, whole=True)
            axes.set_title(metric_title(split, label))
    for axes in grid[:, 0]:
        axes.set_ylabel(heights.label)


def _level_keys(heights: _Heights) -> list[Line2D]:
    """Return what a legend says of the level that shares are of."""
    return [lines.line_key("mean barrier across trunks", **_LEVEL)] if heights.are_shares else []


@figure(
    "connection",
    title="On the interpolation path between branch endpoints",
    caption="How far every metric on validation data rises above the chord between its values at "
    f"both ends, a colour for each split point; {_OVER}. Rises are shares of the full model's "
    "barrier across trunks, if it was measured.",
    claims=("late_split_connected",),
    order=2,
)
def interpolation(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw a row for each metric, columns of full, top and bottom kept (nearest to one half)."""
    rows, metrics = _above_chord(subject.rows(tables, "interpolation")), subject.metrics(tables)
    heights, variants = _Heights.of(tables, subject), nearest_to_half(variants_of(rows))
    splits = np.unique(rows["time"])
    colours = dict(zip(splits, spread_colours(SPLIT_POINT_MAP, len(splits)), strict=True))
    fig.set_figheight(1.3 + 1.9 * len(metrics))
    grid = fig.subplots(len(metrics), len(variants), sharex=True, squeeze=False)
    for row, (metric, label) in zip(grid, metrics.items(), strict=True):
        unit = heights.unit("validation", metric)
        own = where(rows, metric=metric)
        own = own.assign(rise=own["rise"] / unit)
        for axes, variant in zip(row, variants, strict=True):
            curves = [
                lines.curve(where(variant.of(own), time=split), "rise", UNIT, "alpha")
                for split in splits
            ]
            for curve, colour in zip(curves, colours.values(), strict=True):
                lines.draw_curve(axes, curve, colour)
            heights.scale(axes, curves, whole=False)
            axes.set_xlim(0, 1)
        row[0].set_ylabel(label)
    for variant, top, bottom in zip(variants, grid[0], grid[-1], strict=True):
        top.set_title(variant.label)
        bottom.set_xlabel("alpha, from one end to the other")
    of = ",\nshare of the barrier across trunks" if heights.are_shares else ""
    fig.supylabel(f"rise above the chord{of}", fontsize="medium")
    keys = [lines.line_key(f"{split:.3g}", colour) for split, colour in colours.items()]
    title = subject.timeline(tables).unit
    fig.legend(handles=keys, title=title, loc="outside lower center", ncols=8)


def _above_chord(rows: pd.DataFrame) -> pd.DataFrame:
    """Return points of paths with how far each is above the chord of its path, `rise`."""
    path = ["split_step", *UNIT, "keep", "keep_fraction", "metric"]
    ends = rows.sort_values("alpha").groupby(path)["value"]
    start, end = ends.transform("first"), ends.transform("last")
    return rows.assign(rise=rows["value"] - (1 - rows["alpha"]) * start - rows["alpha"] * end)


@figure(
    "connection",
    title="Branch endpoints of two trunks",
    caption="Trunks differ in their seed: the test of what is not connected. Barriers and "
    f"agreement against the split point; {_OVER} (of two trunks: over pairs of trunks and "
    f"branches). {_SHARES}.",
    claims=("trunks_unconnected", "trunks_share_nothing"),
    when=has_rows("barriers", relation="across"),
    order=5,
)
def across(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw barriers above agreement, which is shown beside that within a trunk."""
    rows = subject.rows(tables, "barriers", relation="across")
    groups = {
        ("branches of two trunks", TWO_TRUNKS): {"relation": "across"},
        ("two branches of one trunk", ONE_TRUNK): {"relation": "within"},
    }
    (place,) = _places(fig, tables, subject, 1)
    panels, keys = _draw_relation(place, tables, subject, rows, groups, "time")
    for axes in panels:
        subject.timeline(tables).apply(axes, rows["time"])
    fig.legend(handles=keys, loc="outside lower center", ncols=_KEY_COLUMNS)


@figure(
    "connection",
    title="Branch endpoints after a perturbation of the split point",
    caption="Each branch starts in a random direction off the split point: see if barriers rise "
    "where agreement falls. Against the scale of the perturbation; 0 is the split point as it was; "
    f"{_OVER}. {_SHARES}.",
    claims=("perturbation_breaks",),
    when=has_rows("barriers", relation="perturbed"),
    order=6,
)
def perturbation(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw barriers above agreement, for one perturbed split point below the other."""
    perturbed = subject.rows(tables, "barriers", relation="perturbed")
    splits = perturbed[["split_step", "time"]].drop_duplicates()
    places = _places(fig, tables, subject, len(splits))
    for place, (step, time) in zip(places, splits.itertuples(index=False), strict=True):
        own = {"relation": ("within", "perturbed"), "split_step": step}
        rows, groups = (
            subject.rows(tables, "barriers", **own),
            {("branch endpoints", ONE_TRUNK): own},
        )
        panels, keys = _draw_relation(place, tables, subject, rows, groups, "scale")
        for axes in panels:
            spec = axes.get_subplotspec()
            assert spec is not None, "a panel of the figure"
            label = f"scale of the perturbation at {subject.axis.x} {time:.3g}"
            axes.set_xlabel(label if spec.is_last_row() else "")
            axes.set_xlim(0, None)
    fig.legend(handles=keys, loc="outside lower center", ncols=_KEY_COLUMNS)


def _places(
    fig: Figure, tables: Tables, subject: Subject, count: int
) -> list[GridSpecFromSubplotSpec]:
    """Return places below each other for all that is drawn of a relation of endpoints."""
    layers = subject.layers(tables, "matrix")
    heights = (_BARRIERS_HEIGHT, max(heatmaps.height_of(layers), _MEAN_HEIGHT))
    fig.set_figheight(count * (sum(heights) + 1.5) + 0.8)
    places = fig.add_gridspec(count, 1)
    return [places[n].subgridspec(2, 1, height_ratios=heights) for n in range(count)]


def _draw_relation(
    place: GridSpecFromSubplotSpec,
    tables: Tables,
    subject: Subject,
    rows: pd.DataFrame,
    groups: Mapping[tuple[str, str], Mapping[str, Any]],
    x: str,
) -> tuple[list[Axes], list[Line2D]]:
    """Draw barriers, and below them agreement: the mean over matrices, and that of each.

    Args:
        place: Where, one of `_places`.
        tables: The tables.
        subject: The connection.
        rows: The barriers.
        groups: What columns of the rows of agreement hold, by label and colour of the mean; that
            of each matrix is drawn of the first.
        x: The column that they stand against.

    Returns:
        Panels whose horizontal axis is left to the caller, and the entries of a legend.
    """
    upper = place[0].subgridspec(len(SPLITS), len(subject.metrics(tables)))
    panels = upper.subplots(sharex=True, squeeze=False)
    _draw_barriers(panels, tables, subject, rows, x)
    lower = place[1].subgridspec(1, 2, width_ratios=(1, 1.5))
    left, right = lower.subplots(squeeze=False)[0]
    table, null = "endpoint_agreement", subject.layers(tables, "matrix")["null"].mean()
    scores = {look: subject.rows(tables, table, **own) for look, own in groups.items()}
    keys = [lines.line_key(one.label, **one.line) for one in variants_of(rows)]
    keys += _level_keys(_Heights.of(tables, subject)) + draw_agreement(left, scores, x, null)
    (label, _), own = next(iter(scores.items()))
    draw_layers(right, tables, subject, own, x, f", {label}" if len(scores) > 1 else "")
    by_row = [key for column in range(_KEY_COLUMNS) for key in keys[column::_KEY_COLUMNS]]
    return [*panels.flat, left], by_row
