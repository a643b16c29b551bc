"""Curves with a band of one standard deviation."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.typing import ColorType

from specflow.figures.grouping import Curve
from specflow.figures.style import NULL_COLOUR
from specflow.tables.reading import Numbers

_LOG_SPREAD = 20.0


def draw_curve(axes: Axes, curve: Curve, color: ColorType, **line: Any) -> None:
    """Draw a mean and a band of one standard deviation around it.

    On a log axis the band ends at the least unit, as mean - std may not be positive.

    Args:
        axes: Where to draw.
        curve: What to draw.
        color: Of both.
        **line: Further properties of the line.
    """
    marks: dict[str, Any] = {"marker": "o"} if len(curve.x) == 1 else {}
    # a mark at the end of the axis is to be seen whole
    marks |= {"markersize": 3.5, "clip_on": "marker" not in marks | line}
    axes.plot(curve.x, curve.mean, color=color, **marks | line)
    if np.any(curve.std > 0):
        low, high = curve.mean - curve.std, curve.mean + curve.std
        if axes.get_yscale() == "log":
            low = np.maximum(low, curve.least)
        axes.fill_between(curve.x, low, high, color=color, alpha=0.18, linewidth=0)


def scale_ordinate(axes: Axes, curves: Iterable[Curve]) -> None:
    """Set the vertical axis to a log scale where that helps, and to the range of the means.

    It helps where everything is positive, spreads over more than a factor of 20, and is not a
    fraction: losses and perplexities, not errors.
    """
    means = np.concatenate([np.empty(0), *(curve.mean for curve in curves)])
    if len(means) == 0:
        return
    low, high = float(means.min()), float(means.max())
    if low > 0 and high > 1 and high / low > _LOG_SPREAD:
        axes.set_yscale("log")
        axes.set_ylim(low / 1.4, high * 1.4)
    elif low >= 0:
        axes.set_ylim(-0.03 * (high or 1), (high or 1) * 1.05)


def draw_null_line(axes: Axes, nulls: Numbers, drawn: Numbers) -> None:
    """Draw the mean null level of scores, and set the vertical axis to reach from 0 past both.

    Args:
        axes: Where to draw.
        nulls: Null levels, shape (rows,); NaN where it is not defined.
        drawn: All scores on the axes, shape (scores,).
    """
    null = float(np.mean(nulls[np.isfinite(nulls)])) if np.isfinite(nulls).any() else 0.0
    if null > 0:
        axes.axhline(null, color=NULL_COLOUR, linestyle="--", linewidth=1.2)
    axes.set_ylim(0, 1.1 * np.max(drawn, initial=null) or 1.0)


def line_key(label: str, color: ColorType, **line: Any) -> Line2D:
    """Return an entry of a legend."""
    return Line2D([], [], label=label, color=color, **line)


def joined(curves: Iterable[Curve]) -> Numbers:
    """Return the abscissae of all curves, shape (points of all,)."""
    return np.concatenate([np.empty(0), *(curve.x for curve in curves)])
