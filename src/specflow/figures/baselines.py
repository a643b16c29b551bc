"""Baselines in panels of metrics: what a trivial predictor reaches, as a dashed line."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from specflow.figures.curves import line_key
from specflow.figures.grouping import Curve
from specflow.figures.style import NULL_COLOUR
from specflow.tables.baselines import baseline_of, is_baseline
from specflow.tables.reading import Table

_LINE: dict[str, Any] = {"color": NULL_COLOUR, "linestyle": "--", "linewidth": 1.2}


def metrics_in(table: Table) -> list[str]:
    """Return the metrics that have a panel: all but baselines."""
    return [metric for metric in table.distinct("metric") if not is_baseline(metric)]


def baselines(history: Table, metric: str, split: str) -> list[Curve]:
    """Return the baseline of a metric as a curve of one point, or nothing if it has none.

    Args:
        history: Rows of the history of one experiment.
        metric: The metric.
        split: The part of the data.
    """
    values = history.where(metric=baseline_of(metric), split=split).numbers("value")
    level = values[:1]  # the same at every step of every seed
    return [Curve(np.zeros(1), level, np.zeros(1), level)] if len(level) else []


def draw_baselines(axes: Axes, levels: Iterable[Curve]) -> None:
    """Draw baselines over the whole width of a panel."""
    for level in levels:
        axes.axhline(level.mean.item(), **_LINE)


def baseline_keys(levels: Iterable[list[Curve]]) -> list[Line2D]:
    """Return the entry of a legend, or none if no panel has a baseline."""
    return [line_key("baseline", **_LINE)] if any(levels) else []
