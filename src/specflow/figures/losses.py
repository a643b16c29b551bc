"""Losses and errors of the full model and of what SVD pruning leaves of it (paper, figure 4)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from specflow.figures import lines, style
from specflow.figures.registry import figure
from specflow.figures.style import NULL_LINE, SPLIT_COLOURS, SPLITS
from specflow.figures.subjects import Subject
from specflow.frames import BASELINE, Tables, where, with_full

_BATCH_NORM = "BatchNorm statistics are re-estimated on training data after pruning"
_WHOLE = {"full": "full model", "reestimated": "full model, statistics re-estimated"}
_COLUMNS = 4  # of panels of errors


@dataclass(frozen=True)
class Variant:
    """The full model, or what pruning leaves of it.

    Attributes:
        keep: full, reestimated (full, with BatchNorm statistics as pruned ones have them), top or
            bottom.
        keep_fraction: Share of every spectrum that is kept, 1 for the full model.
        rank: Place of the fraction among all fractions, 0 for the largest; the full model has 0.
    """

    keep: str
    keep_fraction: float
    rank: int

    @property
    def label(self) -> str:
        """What a legend calls it."""
        if self.keep in _WHOLE:
            return _WHOLE[self.keep]
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
    pruned = (rows["keep_fraction"][~rows["keep"].isin(list(_WHOLE))] for rows in tables)
    fractions = sorted(set().union(*pruned), reverse=True)
    variants = [Variant("full", 1.0, 0)]
    if any((rows["keep"] == "reestimated").any() for rows in tables):
        variants.append(Variant("reestimated", 1.0, 0))
    for keep in ("top", "bottom"):
        variants += [Variant(keep, fraction, rank) for rank, fraction in enumerate(fractions)]
    return variants


def nearest_to_half(variants: Sequence[Variant]) -> list[Variant]:
    """Return full, and of several keep fractions the one nearest to one half."""
    pruned = [variant.keep_fraction for variant in variants if variant.keep not in _WHOLE]
    shown = {1.0, min(pruned, key=lambda fraction: abs(fraction - 0.5), default=1.0)}
    return [variant for variant in variants if variant.keep_fraction in shown]


def pruning_legend(variants: Sequence[Variant], *others: Line2D) -> dict[str, Any]:
    """Return a legend: columns of the full model, top kept, bottom kept, and each other entry."""
    columns = [
        [lines.line_key(one.label, **one.line) for one in variants if one.keep in keeps]
        for keeps in (_WHOLE, ("top",), ("bottom",))
    ]
    columns = [column for column in (*columns, *([other] for other in others)) if column]
    height = max(map(len, columns))
    blank = lines.line_key(" ", color="none")
    handles = [key for own in columns for key in own + [blank] * (height - len(own))]
    return {"handles": handles, "ncols": len(columns)}


def pruning_note(variants: Sequence[Variant]) -> str:
    """Return what stands above the legend of a figure of pruned models with BatchNorm."""
    return _BATCH_NORM if any(variant.keep == "reestimated" for variant in variants) else ""


def baseline(history: pd.DataFrame, metric: str, split: str) -> list[float]:
    """Return what a trivial predictor reaches on a metric, or nothing if that is not known."""
    rows = where(history, metric=metric + BASELINE, split=split)
    return rows["value"].tolist()[:1]  # the same at every step of every seed


@figure(
    "experiment",
    title="Losses and errors with SVD pruning",
    caption="Every metric on training and validation data, of the full model and of what SVD "
    "pruning leaves of it: the nearer the top half is to the full model, the less the bottom half "
    "counts. Mean and one standard deviation over seeds.",
    claims=("top_half_suffices", "grokking_coincides"),
    order=1,
)
def losses(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw a column for each metric."""
    metrics = subject.metrics(tables)
    grid = _draw_panels(fig, tables, [(subject, metric) for metric in metrics])
    for split, row in zip(SPLITS, grid, strict=True):
        for axes, label in zip(row, metrics.values(), strict=True):
            axes.set_title(style.metric_title(split, label))


@figure(
    "problems",
    title="Losses with SVD pruning",
    caption="Loss of the full model and of what SVD pruning leaves of it, a column for each "
    "problem: see if the top half is near the full model. Mean and one standard deviation over "
    "seeds (paper, figure 4).",
    claims=("top_half_suffices",),
)
def problems_pruning(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw a column for each problem."""
    grid = _draw_panels(fig, tables, [(member, "loss") for member in subject.members])
    style.title_columns(grid[0], [(member.title,) for member in subject.members])
    for axes, split in zip(grid[:, 0], SPLITS, strict=True):
        axes.set_ylabel(f"{split} loss")


def _draw_panels(fig: Figure, tables: Tables, columns: Sequence[tuple[Subject, str]]) -> np.ndarray:
    """Draw a metric of an experiment in each column, training data above validation data."""
    fig.set_figheight(5.4)
    grid = fig.subplots(len(SPLITS), len(columns), squeeze=False)
    pruning = [member.rows(tables, "pruning") for member, _ in columns]
    variants, levels = variants_of(*pruning), []
    looks = [variant.line for variant in variants]
    for column, (member, metric), pruned in zip(grid.T, columns, pruning, strict=True):
        history = member.rows(tables, "history")
        rows = where(with_full(history, pruned), metric=metric)
        for axes, split in zip(column, SPLITS, strict=True):
            own, level = where(rows, split=split), baseline(history, metric, split)
            curves = [lines.curve(variant.of(own), "value") for variant in variants]
            lines.scale_ordinate(axes, [level, *map(lines.extent, curves)])
            for height in level:
                axes.axhline(height, **NULL_LINE)
            lines.draw_curves(axes, curves, looks, member.timeline(tables))
            levels += level
    others = [lines.line_key("baseline", **NULL_LINE)] if levels else []
    legend = pruning_legend(variants, *others)
    fig.legend(**legend, title=pruning_note(variants), loc="outside lower center")
    return grid


@figure(
    "project",
    title="Errors of all experiments",
    caption="Training and validation error of all experiments but variants of weight decay; "
    "experiments whose error is of one kind have one vertical axis, and diffusion has its loss. "
    "Mean and one standard deviation over seeds.",
)
def errors(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw a small panel for each experiment, those with one kind of error together."""
    count = len(subject.members)
    num_columns = min(_COLUMNS, count)
    num_rows = math.ceil(count / num_columns)
    fig.set_figheight(1.0 + 1.8 * num_rows)
    grid = fig.subplots(num_rows, num_columns, squeeze=False)
    titles, panels = [""] * grid.size, enumerate(grid.flat)
    looks = [{"color": colour} for colour in SPLIT_COLOURS.values()]
    for label, group in _errors_by_kind(tables, subject.members).items():
        extents = [lines.extent(curve) for _, curves in group for curve in curves]
        for place, (member, curves) in enumerate(group):
            number, axes = next(panels)
            titles[number] = member.title
            if "error" in member.metrics(tables):
                axes.set_ylim(-0.03, 1.05 * np.concatenate(extents).max())
            else:
                lines.scale_ordinate(axes, extents)
            lines.draw_curves(axes, curves, looks, member.timeline(tables))
            axes.set_xlabel(member.timeline(tables).unit)  # not the same in all columns
            axes.set_ylabel(label if place == 0 or number % num_columns == 0 else "")
    for row, own in zip(grid, np.reshape(titles, grid.shape), strict=True):
        style.title_columns(row, [(title,) for title in own])
    for _, axes in panels:
        axes.axis("off")
    keys = [lines.line_key(split, colour) for split, colour in SPLIT_COLOURS.items()]
    fig.legend(handles=keys, loc="outside lower center", ncols=2)


def _errors_by_kind(
    tables: Tables, members: Sequence[Subject]
) -> dict[str, list[tuple[Subject, list[pd.DataFrame]]]]:
    """Return, by what their error is called, experiments with its curve of each split.

    Where there is no error apart from the loss, it is the loss.
    """
    found: dict[str, list[tuple[Subject, list[pd.DataFrame]]]] = {}
    for member in members:
        metrics = member.metrics(tables)
        metric = "error" if "error" in metrics else "loss"
        rows = member.rows(tables, "history", metric=metric)
        curves = [lines.curve(where(rows, split=split), "value") for split in SPLITS]
        found.setdefault(metrics[metric], []).append((member, curves))
    return found
