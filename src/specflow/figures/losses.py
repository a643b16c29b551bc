"""Losses and errors over time, of the full model and after SVD pruning (paper, figure 4)."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from specflow.figures import panels
from specflow.figures.averages import curve
from specflow.figures.registry import figure
from specflow.figures.scores import title_columns
from specflow.figures.style import NULL_LINE, SPLIT_COLOURS, column_titles
from specflow.figures.subjects import Subject
from specflow.figures.variants import (
    BATCH_NORM,
    SPLITS,
    pruning_legend,
    pruning_note,
    variants_of,
    with_full,
)
from specflow.frames import Tables, where

_COLUMNS = 5  # of panels of errors
_BASELINE = "_baseline"  # ends the metric that says what a trivial predictor reaches


@figure(
    "experiment",
    title="Losses and errors with SVD pruning",
    caption="Every metric on training and validation data, of the full model and of what SVD "
    f"pruning leaves of it; mean and one standard deviation over seeds. {BATCH_NORM}.",
    claims=("top_half_suffices", "grokking_coincides"),
    order=1,
)
def losses(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw a column for each metric."""
    metrics = metrics_in(subject.rows(tables, "history"))
    grid = _draw_panels(fig, tables, [(subject, metric) for metric in metrics])
    for split, row in zip(SPLITS, grid, strict=True):
        for axes, metric in zip(row, metrics, strict=True):
            axes.set_title(f"{split} {metric}")


@figure(
    "problems",
    title="Losses with SVD pruning: mean and one standard deviation over seeds",
    caption="Loss of the full model and of what SVD pruning leaves of it, a column for each "
    f"problem, with one vertical axis (paper, figure 4). {BATCH_NORM}.",
    claims=("top_half_suffices",),
)
def problems_pruning(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw a column for each problem."""
    grid = _draw_panels(fig, tables, [(member, "loss") for member in subject.members])
    title_columns(grid[0], subject.members, [()] * len(subject.members))
    for axes, split in zip(grid[:, 0], SPLITS, strict=True):
        axes.set_ylabel(f"{split} loss")


@figure(
    "project",
    title="Errors: mean and one standard deviation over seeds",
    caption="Training and validation error of all experiments but variants of weight decay.",
    claims=("memorization_is_high_rank",),
)
def errors(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw a small panel for each experiment."""
    num_columns = min(_COLUMNS, len(subject.members))
    num_rows = math.ceil(len(subject.members) / num_columns)
    fig.set_figheight(1.0 + 1.7 * num_rows)
    grid = fig.subplots(num_rows, num_columns, sharey=True, squeeze=False)
    names = [str(member.name) for member in subject.members]
    for row, start in zip(grid, range(0, grid.size, num_columns), strict=True):
        own = [*names[start : start + num_columns], *[""] * num_columns][:num_columns]
        for axes, title in zip(row, column_titles([(name,) for name in own]), strict=True):
            axes.set_title(title)
        row[0].set_ylabel("error")
    highest = 0.0
    for axes, member in zip(grid.flat, subject.members, strict=False):
        curves = draw_errors(axes, tables, member)
        highest = max(highest, *(one["mean"].max() for one in curves))
    for axes in grid.flat[len(names) :]:
        axes.axis("off")
    keys = [panels.line_key(split, colour) for split, colour in SPLIT_COLOURS.items()]
    note = "above 1: off the axis" if highest > grid[0, 0].get_ylim()[1] else ""
    fig.legend(handles=keys, title=note, loc="outside lower center", ncols=2)


def draw_errors(
    axes: Axes, tables: Tables, subject: Subject, label: str | None = None
) -> list[pd.DataFrame]:
    """Draw training and validation error of an experiment; return both curves."""
    rows = subject.rows(tables, "history", metric="error")
    curves = [curve(where(rows, split=split), "value") for split in SPLIT_COLOURS]
    looks = [{"color": colour} for colour in SPLIT_COLOURS.values()]
    panels.draw_curves(axes, curves, looks, subject.timeline(tables), label)
    panels.scale_fraction(axes)
    return curves


def metrics_in(history: pd.DataFrame) -> list[str]:
    """Return the metrics that have a panel: all but baselines, which are lines in these."""
    return [name for name in history["metric"].unique() if not name.endswith(_BASELINE)]


def baseline(history: pd.DataFrame, metric: str, split: str) -> list[float]:
    """Return what a trivial predictor reaches on a metric, or nothing if that is not known."""
    rows = where(history, metric=metric + _BASELINE, split=split)
    return rows["value"].tolist()[:1]  # the same at every step of every seed


def _draw_panels(fig: Figure, tables: Tables, columns: Sequence[tuple[Subject, str]]) -> np.ndarray:
    """Draw a metric of an experiment in each column, training data above validation data."""
    fig.set_figheight(5.4)
    grid = fig.subplots(len(SPLITS), len(columns), sharey="col", squeeze=False)
    pruning = [member.rows(tables, "pruning") for member, _ in columns]
    variants, levels = variants_of(*pruning), []
    for column, (member, metric), pruned in zip(grid.T, columns, pruning, strict=True):
        history = member.rows(tables, "history")
        rows = where(with_full(history, pruned), metric=metric)
        own = [baseline(history, metric, split) for split in SPLITS]
        curves = [
            [curve(variant.of(where(rows, split=split)), "value") for variant in variants]
            for split in SPLITS
        ]
        for axes, level, measured in zip(column, own, curves, strict=True):
            panels.scale_ordinate(axes, [*own, *(one["mean"] for both in curves for one in both)])
            for height in level:
                axes.axhline(height, **NULL_LINE)
            label = None if axes is column[-1] else ""
            looks = [variant.line for variant in variants]
            panels.draw_curves(axes, measured, looks, member.timeline(tables), label)
        levels += own
    others = [panels.line_key("baseline", **NULL_LINE)] if any(levels) else []
    legend = pruning_legend(variants, *others)
    fig.legend(**legend, title=pruning_note(variants), loc="outside lower center")
    return grid
