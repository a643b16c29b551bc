"""Losses and errors of the full model and of what SVD pruning leaves of it (paper, figure 4)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from specflow.figures import lines, style
from specflow.figures.registry import figure
from specflow.figures.style import NULL_LINE, SPLIT_COLOURS, SPLITS
from specflow.figures.subjects import Subject
from specflow.frames import BASELINE, Tables, where, with_full

BATCH_NORM = (
    "BatchNorm statistics, if any: running averages of the full model, re-estimated for pruned ones"
)
_COLUMNS = 5  # of panels of errors


@dataclass(frozen=True)
class Variant:
    """The full model, or what pruning leaves of it.

    Attributes:
        keep: full, top or bottom.
        keep_fraction: Share of every spectrum that is kept, 1 for full.
        rank: Place of the fraction among all fractions, 0 for the largest; full has 0.
    """

    keep: str
    keep_fraction: float
    rank: int

    @property
    def label(self) -> str:
        """What a legend calls it."""
        if self.keep == "full":
            return "full model"
        return f"{self.keep} {100 * self.keep_fraction:g}% of the spectrum kept"

    @property
    def line(self) -> dict[str, Any]:
        """Look of its curves; the full model is wide, to be seen below the others."""
        return {
            "color": style.KEEP_COLOURS[self.keep],
            "linestyle": style.DASHES[self.rank % len(style.DASHES)],
            "linewidth": 2.2 if self.keep == "full" else 1.3,
        }

    def of(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return its rows of a table."""
        return where(rows, keep=self.keep, keep_fraction=self.keep_fraction)


def variants_of(*tables: pd.DataFrame) -> list[Variant]:
    """Return the variants in tables of pruned models: full, then top, then bottom kept."""
    pruned = (rows["keep_fraction"][rows["keep"] != "full"] for rows in tables)
    fractions = sorted(set().union(*pruned), reverse=True)
    variants = [Variant("full", 1.0, 0)]
    for keep in ("top", "bottom"):
        variants += [Variant(keep, fraction, rank) for rank, fraction in enumerate(fractions)]
    return variants


def nearest_to_half(variants: Sequence[Variant]) -> list[Variant]:
    """Return full, and of several keep fractions the one nearest to one half."""
    pruned = [variant.keep_fraction for variant in variants if variant.keep != "full"]
    shown = {1.0, min(pruned, key=lambda fraction: abs(fraction - 0.5), default=1.0)}
    return [variant for variant in variants if variant.keep_fraction in shown]


def pruning_legend(variants: Sequence[Variant], *others: Line2D) -> dict[str, Any]:
    """Return a legend: columns of full, top kept, bottom kept, and each other entry."""
    num_fractions = max(1, len(variants) // 2)
    full, *pruned = (lines.line_key(variant.label, **variant.line) for variant in variants)
    blanks = [lines.line_key(" ", color="none") for _ in range(num_fractions - 1)]
    handles = [full, *blanks, *pruned, *(key for other in others for key in (other, *blanks))]
    return {"handles": handles, "ncols": 3 + len(others)}


def pruning_note(variants: Sequence[Variant]) -> str:
    """Return what stands above the legend of a figure of pruned models; nothing if it has none."""
    return BATCH_NORM if len(variants) > 1 else ""


def metrics_in(history: pd.DataFrame) -> list[str]:
    """Return the metrics that have a panel: all but baselines, which are lines in these."""
    return [name for name in history["metric"].unique() if not name.endswith(BASELINE)]


def baseline(history: pd.DataFrame, metric: str, split: str) -> list[float]:
    """Return what a trivial predictor reaches on a metric, or nothing if that is not known."""
    rows = where(history, metric=metric + BASELINE, split=split)
    return rows["value"].tolist()[:1]  # the same at every step of every seed


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
            axes.set_title(style.metric_title(split, metric))


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
    style.title_columns(grid[0], [()] * len(subject.members), subject.member_names)
    for axes, split in zip(grid[:, 0], SPLITS, strict=True):
        axes.set_ylabel(f"{split} loss")


def _draw_panels(fig: Figure, tables: Tables, columns: Sequence[tuple[Subject, str]]) -> np.ndarray:
    """Draw a metric of an experiment in each column, training data above validation data."""
    fig.set_figheight(5.4)
    grid = fig.subplots(len(SPLITS), len(columns), sharey="col", squeeze=False)
    pruning = [member.rows(tables, "pruning") for member, _ in columns]
    variants, levels = variants_of(*pruning), []
    looks = [variant.line for variant in variants]
    for column, (member, metric), pruned in zip(grid.T, columns, pruning, strict=True):
        history = member.rows(tables, "history")
        rows = where(with_full(history, pruned), metric=metric)
        own = [baseline(history, metric, split) for split in SPLITS]
        curves = [
            [lines.curve(variant.of(where(rows, split=split)), "value") for variant in variants]
            for split in SPLITS
        ]
        for axes, level, measured in zip(column, own, curves, strict=True):
            lines.scale_ordinate(axes, [*own, *(one["mean"] for both in curves for one in both)])
            for height in level:
                axes.axhline(height, **NULL_LINE)
            lines.draw_curves(axes, measured, looks, member.timeline(tables))
        levels += own
    others = [lines.line_key("baseline", **NULL_LINE)] if any(levels) else []
    legend = pruning_legend(variants, *others)
    fig.legend(**legend, title=pruning_note(variants), loc="outside lower center")
    return grid


@figure(
    "project",
    title="Errors: mean and one standard deviation over seeds",
    caption="Training and validation error of all experiments but variants of weight decay.",
    claims=("memorization_is_high_rank",),
)
def errors(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw a small panel for each experiment."""
    names = subject.member_names
    num_columns = min(_COLUMNS, len(names))
    num_rows = math.ceil(len(names) / num_columns)
    fig.set_figheight(1.0 + 1.7 * num_rows)
    grid = fig.subplots(num_rows, num_columns, sharey=True, squeeze=False)
    titles = np.array([*names, *[""] * (grid.size - len(names))]).reshape(grid.shape)
    highest = 0.0
    for row, own in zip(grid, titles, strict=True):
        style.title_columns(row, [(str(name),) for name in own])
        row[0].set_ylabel("error")
    for axes, member in zip(grid.flat, subject.members, strict=False):
        curves = draw_errors(axes, tables, member)
        axes.set_xlabel(member.timeline(tables).unit)  # not the same in all columns
        highest = max(highest, *(one["mean"].max() for one in curves))
    for axes in grid.flat[len(names) :]:
        axes.axis("off")
    keys = [lines.line_key(split, colour) for split, colour in SPLIT_COLOURS.items()]
    note = "above 1: off the axis" if highest > grid[0, 0].get_ylim()[1] else ""
    fig.legend(handles=keys, title=note, loc="outside lower center", ncols=2)


def draw_errors(axes: Axes, tables: Tables, subject: Subject) -> list[pd.DataFrame]:
    """Draw training and validation error of an experiment; return both curves."""
    rows = subject.rows(tables, "history", metric="error")
    curves = [lines.curve(where(rows, split=split), "value") for split in SPLITS]
    looks = [{"color": colour} for colour in SPLIT_COLOURS.values()]
    lines.draw_curves(axes, curves, looks, subject.timeline(tables))
    lines.scale_fraction(axes)
    return curves
