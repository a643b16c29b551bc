"""Heatmaps over training time, with cells as wide as the true distance between checkpoints."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import Colormap
from matplotlib.figure import Figure

from specflow.figures.grouping import Grid
from specflow.figures.timeline import Timeline
from specflow.tables.reading import Numbers

ROW_HEIGHT = 0.165  # inches: a line of 8 pt type
_UNDEFINED = "#BBBBBB"


@dataclass(frozen=True)
class ColourScale:
    """Which colour a value has: a map from `low` to `high`."""

    map: Colormap
    low: float
    high: float

    @classmethod
    def around(cls, map: Colormap, values: Numbers, step: float = 0.05) -> "ColourScale":
        """Return a scale from the least to the greatest value, rounded outward to `step`."""
        defined = values[np.isfinite(values)]
        if len(defined) == 0:
            return cls(map, 0.0, 1.0)
        low = step * np.floor(defined.min() / step + 1e-9)
        high = step * np.ceil(defined.max() / step - 1e-9)
        return cls(map, float(low), float(max(high, low + step)))


def draw_heatmap(axes: Axes, grid: Grid, timeline: Timeline, colours: ColourScale) -> QuadMesh:
    """Draw a grid, its first row at the top; cells that are not defined are grey.

    Args:
        axes: Where to draw.
        grid: What to draw.
        timeline: The horizontal axis; it is left to the caller to apply and label it.
        colours: What a value looks like.
    """
    axes.grid(False)
    axes.set_facecolor(_UNDEFINED)
    rows = np.arange(len(grid.values) + 1)
    mesh = axes.pcolormesh(
        timeline.edges(grid.x),
        rows,
        np.ma.masked_invalid(grid.values),
        cmap=colours.map,
        vmin=colours.low,
        vmax=colours.high,
    )
    axes.set_ylim(len(grid.values), 0)
    return mesh


def label_rows(axes: Axes, labels: Sequence[str]) -> None:
    """Put a label at the middle of each row; `$` in it is no mathematics."""
    axes.set_yticks(np.arange(len(labels)) + 0.5, labels, parse_math=False)
    axes.tick_params(axis="y", length=0)


def label_indices(axes: Axes, count: int) -> None:
    """Number rows from 1, as far apart as is legible."""
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if count <= 8 * step)
    ticks = sorted({1, *range(step, count + 1, step)})
    axes.set_yticks(np.array(ticks) - 0.5, [str(tick) for tick in ticks])


def draw_null_strip(axes: Axes, nulls: Numbers, colours: ColourScale) -> None:
    """Draw, right of a heatmap, what each row would be for unrelated matrices.

    Args:
        axes: The heatmap.
        nulls: Null level of each row, shape (rows,), or of all of them, shape (1,).
        colours: Those of the heatmap.
    """
    strip = axes.inset_axes((1.015, 0, 0.025, 1))
    strip.grid(False)
    strip.set_facecolor(_UNDEFINED)
    rows = np.arange(len(nulls) + 1)
    strip.pcolormesh(
        [0, 1],
        rows,
        np.ma.masked_invalid(nulls[:, None]),
        cmap=colours.map,
        vmin=colours.low,
        vmax=colours.high,
    )
    strip.set_ylim(len(nulls), 0)
    strip.set_yticks([])
    strip.set_xticks([0.5], ["null"])
    strip.xaxis.tick_top()  # below, the last tick of the time axis is in the way
    strip.tick_params(length=0)
    strip.spines[:].set_visible(False)


def add_colour_bar(figure: Figure, axes: Axes | Sequence[Axes], mesh: QuadMesh, label: str) -> None:
    """Add a colour bar right of axes; the label also says what grey means where there is any.

    Args:
        figure: Where the axes are.
        axes: Beside which it stands.
        mesh: Whose colours it explains.
        label: The quantity.
    """
    note = "\n(grey: not defined)" if np.ma.is_masked(mesh.get_array()) else ""
    aspect = 8 * figure.get_figheight()  # the same width in figures of all heights
    bar = figure.colorbar(mesh, ax=axes, label=label + note, pad=0.015, aspect=aspect)
    bar.outline.set_visible(False)


def null_text(nulls: Numbers) -> str:
    """Return the null levels in words, "null level 0.01 to 0.02"."""
    defined = nulls[np.isfinite(nulls)]
    if len(defined) == 0:
        return "null level not defined"
    low, high = f"{defined.min():.2g}", f"{defined.max():.2g}"
    return f"null level {low}" if low == high else f"null level {low} to {high}"
