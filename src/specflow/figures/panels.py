"""What is drawn into axes: curves with a band of one standard deviation, heatmaps, their keys."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import QuadMesh
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.typing import ColorType

from specflow.figures.style import NULL_LINE, UNDEFINED_COLOUR
from specflow.figures.timeline import Timeline

_LOG_SPREAD = 20.0


def draw_curve(axes: Axes, curve: pd.DataFrame, color: ColorType, **line: Any) -> None:
    """Draw what `averages.curve` returned: a mean and a band of one standard deviation.

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


def draw_curves(
    axes: Axes,
    curves: Sequence[pd.DataFrame],
    looks: Iterable[Mapping[str, Any]],
    timeline: Timeline,
    label: str | None = None,
) -> None:
    """Draw curves over training time, each with its own look, and scale the horizontal axis."""
    for curve, look in zip(curves, looks, strict=True):
        draw_curve(axes, curve, **look)
    timeline.apply(axes, np.concatenate([curve.index for curve in curves]), label)


def scale_ordinate(axes: Axes, shown: Iterable[Iterable[float]]) -> None:
    """Set the vertical axis to the range of all that is shown, on a log scale where that helps.

    It helps where everything is positive, spreads over more than a factor of 20, and is not a
    fraction: losses and perplexities, not errors.
    """
    values = np.array([value for some in shown for value in some])
    if len(values) == 0:
        return
    low, high = float(values.min()), float(values.max())
    if low > 0 and high > 1 and high / low > _LOG_SPREAD:
        axes.set_yscale("log")
        axes.set_ylim(low / 1.4, high * 1.4)
    elif low >= 0:
        axes.set_ylim(-0.03 * (high or 1), (high or 1) * 1.05)


def scale_around_zero(axes: Axes, curves: Sequence[pd.DataFrame]) -> None:
    """Make the vertical axis logarithmic, but for a part around 0, if curves differ widely."""
    sizes = [float(curve["mean"].abs().max()) for curve in curves if len(curve)]
    least = min((size for size in sizes if size > 0), default=0.0)
    if max(sizes, default=0.0) > _LOG_SPREAD * least > 0:
        axes.set_yscale("symlog", linthresh=least)


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


def null_text(nulls: pd.Series) -> str:
    """Return the null levels in words, "null level 0.01 to 0.02"."""
    if nulls.isna().all():
        return "null level not defined"
    low, high = f"{nulls.min():.2g}", f"{nulls.max():.2g}"
    return f"null level {low}" if low == high else f"null level {low} to {high}"


@dataclass(frozen=True)
class ColourScale:
    """Which colour a value has: a map from `low` to `high`."""

    map: Colormap
    low: float
    high: float

    @classmethod
    def around(cls, map: Colormap, values: Iterable[Any], step: float = 0.05) -> "ColourScale":
        """Return a scale from the least to the greatest of all values, rounded outward to `step`.

        Values are arrays or frames of any shape, NaN where not defined.
        """
        together = np.concatenate([np.ravel(value) for value in values])
        defined = together[np.isfinite(together)]
        if len(defined) == 0:
            return cls(map, 0.0, 1.0)
        low = step * np.floor(defined.min() / step + 1e-9)
        high = step * np.ceil(defined.max() / step - 1e-9)
        return cls(map, float(low), float(max(high, low + step)))

    def draw(self, axes: Axes, x: np.ndarray, y: np.ndarray, values: np.ndarray) -> QuadMesh:
        """Draw cells between edges, the first row at the top, grey where not defined."""
        axes.grid(False)
        axes.set_facecolor(UNDEFINED_COLOUR)
        masked = np.ma.masked_invalid(values)
        mesh = axes.pcolormesh(x, y, masked, cmap=self.map, vmin=self.low, vmax=self.high)
        axes.set_ylim(y[-1], y[0])
        return mesh


def draw_heatmap(
    axes: Axes,
    grid: pd.DataFrame,
    timeline: Timeline,
    colours: ColourScale,
    label: str | None = None,
) -> QuadMesh:
    """Draw what `averages.grid` returned, with cells as wide as the time between checkpoints.

    Rows that have numbers (indices of singular values, of which a table may leave some out) are as
    high as these are apart.
    """
    rows = np.arange(len(grid) + 1.0)
    if pd.api.types.is_numeric_dtype(grid.index):
        index = grid.index.to_numpy(float)
        rows = np.concatenate([[index[0] - 0.5], (index[1:] + index[:-1]) / 2, [index[-1] + 0.5]])
        _number_indices(axes, int(index[-1]))
    mesh = colours.draw(axes, timeline.edges(grid.columns), rows, grid.to_numpy(float))
    timeline.apply(axes, grid.columns, label)
    return mesh


def label_rows(axes: Axes, labels: Sequence[str]) -> None:
    """Put a label at the middle of each row of a heatmap."""
    axes.set_yticks(np.arange(len(labels)) + 0.5, labels)
    axes.tick_params(axis="y", length=0)


def number_rows(axes: Axes, count: int) -> None:
    """Number the first and the last row of a heatmap, where labels would not fit."""
    numbers = sorted({1, count})
    axes.set_yticks([number - 0.5 for number in numbers], [str(number) for number in numbers])
    axes.tick_params(axis="y", length=0)


def _number_indices(axes: Axes, last: int) -> None:
    """Number indices from 1, as far apart as is legible."""
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, last) if last <= 8 * step)
    axes.set_yticks(sorted({1, *range(step, last + 1, step)}))


def draw_null_strip(axes: Axes, nulls: pd.Series, colours: ColourScale) -> None:
    """Draw, right of a heatmap, what each row (or all, of one level) is for unrelated matrices."""
    strip = axes.inset_axes((1.015, 0, 0.025, 1))
    levels = nulls.to_numpy(float)[:, None]
    colours.draw(strip, np.array([0, 1]), np.arange(len(nulls) + 1), levels)
    strip.set_yticks([])
    strip.set_xticks([0.5], ["null"])
    strip.xaxis.tick_top()  # below, the last tick of the time axis is in the way
    strip.tick_params(length=0)
    strip.spines[:].set_visible(False)


def add_colour_bar(
    figure: Figure, axes: Iterable[Axes], shown: Sequence[ScalarMappable], label: str
) -> Colorbar:
    """Add a colour bar right of axes for all that is shown, which has one scale of colours.

    The label also says what grey means where there is any.
    """
    note = "\n(grey: not defined)" if any(np.ma.is_masked(one.get_array()) for one in shown) else ""
    aspect = 8 * figure.get_figheight()  # the same width in figures of all heights
    bar = figure.colorbar(shown[0], ax=list(axes), label=label + note, pad=0.015, aspect=aspect)
    bar.outline.set_visible(False)
    return bar
