"""Loss and error between branch endpoints: barriers, and curves on the interpolation path."""

import numpy as np
from matplotlib.figure import Figure

from specflow.figures import panels
from specflow.figures.averages import curve
from specflow.figures.losses import baseline
from specflow.figures.registry import figure
from specflow.figures.style import NULL_LINE, SPLIT_POINT_MAP, ZERO_LINE, spread_colours
from specflow.figures.subjects import Subject
from specflow.figures.variants import SPLITS, nearest_to_half, pruning_legend, variants_of
from specflow.frames import Tables, where

UNIT = ("trunks", "branches")  # means and deviations are over these


@figure(
    "connection",
    title="Barriers between branch endpoints",
    caption="Against the split point; mean and one standard deviation over trunks and pairs of "
    "branches.",
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
            [curve(one.of(where(own, split=split)), "barrier", UNIT) for one in variants]
            for split in SPLITS
        ]
        panels.scale_around_zero(column[0], [one for both in curves for one in both])
        for axes, split, measured in zip(column, SPLITS, curves, strict=True):
            label = f"{timeline.unit} of the split" if axes is column[-1] else ""
            panels.draw_curves(axes, measured, looks, timeline, label)
            axes.axhline(0, **ZERO_LINE)
            axes.set_title(f"{split} {metric}")
    for axes in grid[:, 0]:
        axes.set_ylabel("barrier")
    fig.legend(**pruning_legend(variants), loc="outside lower center")


@figure(
    "connection",
    title="On the interpolation path between branch endpoints",
    caption="Every metric on validation data, a colour for each split point; mean and one standard "
    "deviation over trunks and pairs of branches.",
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
    grid = fig.subplots(len(metrics), len(variants), sharex=True, sharey="row", squeeze=False)
    for row, metric, level in zip(grid, metrics, levels, strict=True):
        own = where(rows, metric=metric)
        curves = {
            (axes, split): curve(where(variant.of(own), time=split), "value", UNIT, x="alpha")
            for axes, variant in zip(row, variants, strict=True)
            for split in splits
        }
        panels.scale_ordinate(row[0], [level, *(one["mean"] for one in curves.values())])
        for axes in row:
            axes.set_xlim(0, 1)
            for height in level:
                axes.axhline(height, **NULL_LINE)
        for (axes, split), measured in curves.items():
            panels.draw_curve(axes, measured, colours[split])
        row[0].set_ylabel(f"validation {metric}")
    for variant, top, bottom in zip(variants, grid[0], grid[-1], strict=True):
        top.set_title(variant.label)
        bottom.set_xlabel("alpha")
    keys = [panels.line_key(f"{split:g}", colour) for split, colour in colours.items()]
    keys += [panels.line_key("baseline", **NULL_LINE)] if any(levels) else []
    title = f"{subject.timeline(tables).unit} of the split"
    fig.legend(handles=keys, title=title, loc="outside lower center", ncols=8)
