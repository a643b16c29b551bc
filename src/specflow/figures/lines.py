"""Curves: mean and spread over seeds of rows of a table, drawn as a line with a band."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter
from matplotlib.typing import ColorType

from specflow.figures.style import DEPTH_MAP, NULL_LINE, spread_colours
from specflow.figures.timeline import Timeline, round_numbers
from specflow.frames import at_end

_LOG_SPREAD = 20.0
_LARGEST_RATE = 1.2  # of errors in text, of which there may be more than characters
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_MANY_COLOUR = "#0072B2"
_FEW_STEPS = 40  # that are told apart
_FEW_DECADES = 100.0  # powers of ten alone would be too few ticks


def curve(
    rows: pd.DataFrame, value: str, unit: Sequence[str] = ("seed",), x: str = "time"
) -> pd.DataFrame:
    """Return mean and spread of a column over units by x, as `spread` does.

    Columns `unit` together tell one unit from another: seeds, or trunks and pairs of branches. The
    rows of one unit at one x (of several matrices, say) are averaged first, so that the spread is
    that of units. What is not finite is left out, and so is an x at which no unit has a value.
    """
    return spread(_finite(rows, value).groupby([x, *unit])[value].mean())


def spread(units: pd.Series) -> pd.DataFrame:
    """Return, by the first level of the index, `mean`, `std` (over n - 1) and `least` of units."""
    return units.groupby(level=0).agg(mean="mean", std="std", least="min")


def final_values(rows: pd.DataFrame, value: str) -> pd.Series:
    """Return a value at the last step by seed, the mean over each seed's finite rows."""
    return seed_means(at_end(rows), value)


def seed_means(rows: pd.DataFrame, value: str) -> pd.Series:
    """Return the mean over each seed's finite rows."""
    return _finite(rows, value).groupby("seed")[value].mean()


def _finite(rows: pd.DataFrame, value: str) -> pd.DataFrame:
    return rows[np.isfinite(rows[value])]


def draw_curve(axes: Axes, curve: pd.DataFrame, color: ColorType, **line: Any) -> None:
    """Draw what `curve` returned: a mean and a band of one standard deviation.

    On a log axis the band ends at the least unit, as mean - std may not be positive.
    """
    marks: dict[str, Any] = {"marker": "o"} if len(curve) == 1 else {}
    # a mark at the end of the axis is to be seen whole
    marks |= {"markersize": 3.5, "clip_on": "marker" not in marks | line}
    axes.plot(curve.index, curve["mean"], color=color, **marks | line)
    if np.any(curve["std"] > 0):
        low, high = curve["mean"] - curve["std"], curve["mean"] + curve["std"]
        if axes.get_yscale() == "log":
            low = np.maximum(low, curve["least"])
        axes.fill_between(curve.index, low, high, color=color, alpha=0.18, linewidth=0)


def draw_all(
    axes: Axes, values: pd.DataFrame, *, has_many: bool, marker: str = ""
) -> Sequence[Artist]:
    """Draw a line for each row, coloured by depth, and return nothing.

    If there are too many, draw their median over bands of the middle half and 90% of them, and
    return what a legend is to explain. What is not defined is left out. Without a marker, steps
    have marks if they are few.
    """
    if not has_many:
        axes.set_prop_cycle(color=spread_colours(DEPTH_MAP, len(values)))
        marker = marker or mark_of(len(values.columns))
        axes.plot(values.columns, values.T, linewidth=1.0, marker=marker, markersize=3)
        return ()
    x = np.asarray(values.columns, dtype=float)
    levels = values.quantile(np.array(_QUANTILES)).to_numpy()
    wide, narrow, middle = levels[[0, 4]], levels[[1, 3]], levels[2]
    look: dict[str, Any] = {"color": _MANY_COLOUR, "linewidth": 0}
    return [
        *axes.plot(x, middle, color=_MANY_COLOUR, label="median"),
        axes.fill_between(x, *narrow, alpha=0.35, label="middle half", **look),
        axes.fill_between(x, *wide, alpha=0.15, label="middle 90%", **look),
    ]


def mark_of(num_steps: int) -> str:
    """Return the marker of so many steps: what was measured is to be seen where they are few."""
    return "." if num_steps <= _FEW_STEPS else ""


def extent(curve: pd.DataFrame) -> np.ndarray:
    """Return the heights that `draw_curve` reaches: of the mean, and of its band."""
    return np.concatenate([curve["mean"], curve["mean"] + curve["std"].fillna(0), curve["least"]])


def draw_curves(
    axes: Axes,
    curves: Sequence[pd.DataFrame],
    looks: Iterable[Mapping[str, Any]],
    timeline: Timeline,
) -> None:
    """Draw curves over training time, each with its own look, and scale the horizontal axis."""
    for curve, look in zip(curves, looks, strict=True):
        draw_curve(axes, curve, **look)
    timeline.apply(axes, np.concatenate([curve.index for curve in curves]))


def scale_ordinate(axes: Axes, shown: Iterable[Iterable[float]]) -> None:
    """Set the vertical axis to the range of all that is shown, on a log scale where that helps.

    It helps where everything is positive, spreads over more than a factor of 20, and is not a
    fraction: losses and perplexities, not rates of errors.
    """
    values = np.array([value for some in shown for value in some])
    if len(values) == 0:
        return
    low, high = float(values.min()), float(values.max())
    if low > 0 and high > _LARGEST_RATE and high / low > _LOG_SPREAD:
        axes.set_yscale("log")
        axes.set_ylim(low / 1.4, high * 1.4)
        if high / low < _FEW_DECADES:
            ticks = round_numbers(*axes.get_ylim())
            axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
            axes.yaxis.set_minor_formatter(NullFormatter())
    elif low >= 0:
        axes.set_ylim(-0.03 * (high or 1), (high or 1) * 1.05)


def scale_fraction(axes: Axes) -> None:
    """Set the vertical axis to the range of a fraction, 0 to 1."""
    axes.set_ylim(-0.03, 1.03)
    axes.set_yticks([0, 0.5, 1])


def draw_null_line(axes: Axes, nulls: pd.Series, drawn: Iterable[float]) -> None:
    """Draw the mean null level, and let the vertical axis reach from 0 past it and all drawn."""
    null = float(np.nan_to_num(nulls.mean()))
    if null > 0:
        axes.axhline(null, **NULL_LINE)
    axes.set_ylim(0, 1.1 * max([null, *drawn]) or 1.0)


def line_key(label: str, color: ColorType, **line: Any) -> Line2D:
    """Return an entry of a legend."""
    return Line2D([], [], label=label, color=color, **line)
