"""Heatmaps over time: one diagonal, or the scores of all matrices or pairs with depth downward."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import QuadMesh
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure

from specflow.figures.style import SCALES, UNDEFINED_COLOUR
from specflow.figures.subjects import Subject
from specflow.figures.timeline import Timeline
from specflow.frames import Tables
from specflow.studies.shown import Key

_ROW_HEIGHT = 0.165  # inches: a line of 8 pt type
_MOST_LABELS = 200  # of rows: of more, only some have one, and a page ends somewhere
_COLOUR_STEP = 0.05  # to which scales of colours are rounded


class Scores(NamedTuple):
    """Scores of one subject."""

    key: Key  # what a row is
    values: pd.DataFrame  # a row for each, in order of depth, a column for each time
    layers: pd.DataFrame  # labels and null levels of the rows
    timeline: Timeline


def grid(rows: pd.DataFrame, by: str, names: Iterable[Any], value: str) -> pd.DataFrame:
    """Return means of a column of rows by name, in the order of `names`, and by time.

    Other names, and cells that are not finite, are left out. There is a column for every time that
    `rows` have, ascending, also where no cell is defined (NaN).
    """
    finite = rows.assign(**{value: rows[value].where(np.isfinite(rows[value]))})
    return finite.groupby([by, "time"])[value].mean().unstack("time").reindex(list(names))


def scores_of(
    subject: Subject, tables: Tables, table: str, column: str, key: Key = "matrix", **values: Any
) -> Scores:
    """Return means of a column over all rows of one matrix or pair (`key`) and one time.

    Only rows whose other columns have `values` count.
    """
    layers = subject.layers(tables, key)
    rows = subject.rows(tables, table, **values)
    return Scores(key, grid(rows, key, layers.index, column), layers, subject.timeline(tables))


def height_of(layers: pd.DataFrame, least: float = 1.2) -> float:
    """Return inches in which every row can have a label, or as many as `label_rows` puts."""
    return max(_ROW_HEIGHT * min(len(layers), _MOST_LABELS), least)


def colour_scale(colours: Colormap, values: Iterable[Any]) -> ScalarMappable:
    """Return the colours of a quantity: those of its own scale, the same in all figures.

    Maps without a scale of their own reach from the least to the greatest of all values, rounded
    outward. Values are arrays or frames of any shape, NaN where not defined.
    """
    if colours.name in SCALES:
        return ScalarMappable(SCALES[colours.name].norm(), colours)
    together = np.concatenate([np.ravel(value) for value in values])
    defined = together[np.isfinite(together)]
    if len(defined) == 0:
        return ScalarMappable(Normalize(0, 1), colours)
    low = _COLOUR_STEP * np.floor(defined.min() / _COLOUR_STEP + 1e-9)
    high = _COLOUR_STEP * np.ceil(defined.max() / _COLOUR_STEP - 1e-9)
    return ScalarMappable(Normalize(low, max(high, low + _COLOUR_STEP)), colours)


def draw_heatmap(
    axes: Axes, grid: pd.DataFrame, timeline: Timeline, colours: ScalarMappable
) -> QuadMesh:
    """Draw what `grid` returned, with cells as wide as the time between checkpoints.

    Rows that have numbers (indices of singular values, of which a table may leave some out) are as
    high as these are apart.
    """
    edges, values = timeline.edges(grid.columns), grid.to_numpy(float)
    mesh = draw_cells(axes, edges, _row_edges(axes, grid), values, colours)
    timeline.apply(axes, grid.columns)
    return mesh


def draw_columns(axes: Axes, grid: pd.DataFrame, colours: ScalarMappable) -> QuadMesh:
    """Draw what `grid` returned, with columns of one width that their own values number.

    Of few times, or of anything else between which nothing was measured.
    """
    edges, values = np.arange(len(grid.columns) + 1.0), grid.to_numpy(float)
    mesh = draw_cells(axes, edges, _row_edges(axes, grid), values, colours)
    axes.set_xticks(edges[:-1] + 0.5, [f"{value:.3g}" for value in grid.columns])
    axes.tick_params(axis="x", length=0)
    return mesh


def _row_edges(axes: Axes, grid: pd.DataFrame) -> np.ndarray:
    """Return the edges of rows; if they are numbers, number them."""
    if not pd.api.types.is_numeric_dtype(grid.index):
        return np.arange(len(grid) + 1.0)
    index = grid.index.to_numpy(float)
    _number_indices(axes, int(index[-1]))
    return np.concatenate([[index[0] - 0.5], (index[1:] + index[:-1]) / 2, [index[-1] + 0.5]])


def _number_indices(axes: Axes, last: int) -> None:
    """Number indices from 1, as far apart as is legible."""
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, last) if last <= 8 * step)
    # the first multiple is left out where it would touch the 1
    axes.set_yticks([1, *(n for n in range(step, last + 1, step) if 4 * (n - 1) > 3 * step)])


def draw_cells(
    axes: Axes, x: np.ndarray, y: np.ndarray, values: np.ndarray, colours: ScalarMappable
) -> QuadMesh:
    """Draw cells between edges, the first row at the top, grey where not defined."""
    axes.grid(False)
    axes.set_facecolor(UNDEFINED_COLOUR)
    masked = np.ma.masked_invalid(values)
    assert isinstance(colours.norm, Normalize), "colour_scale makes no other"
    mesh = axes.pcolormesh(x, y, masked, cmap=colours.cmap, norm=colours.norm)
    axes.set_ylim(y[-1], y[0])
    return mesh


def label_rows(axes: Axes, labels: Sequence[str]) -> None:
    """Put a label at the middle of each row; it may be empty. Of very many, some have one."""
    step = -(-len(labels) // _MOST_LABELS)
    axes.set_yticks(np.arange(len(labels))[::step] + 0.5, labels[::step])
    axes.tick_params(axis="y", length=0)


def draw_null_strip(axes: Axes, nulls: pd.Series, colours: ScalarMappable) -> None:
    """Draw, right of a heatmap, what each row (or all, of one level) is for unrelated matrices."""
    strip = axes.inset_axes((1.015, 0, 0.025, 1))
    levels = nulls.to_numpy(float)[:, None]
    draw_cells(strip, np.array([0, 1]), np.arange(len(nulls) + 1), levels, colours)
    strip.set_yticks([])
    strip.set_xticks([0.5], ["null"])
    strip.xaxis.tick_top()  # below, the last tick of the time axis is in the way
    strip.tick_params(length=0)
    strip.spines[:].set_visible(False)


def draw_scores(
    row: Sequence[Axes], columns: Sequence[Scores], colours: ScalarMappable, *, nulls: bool = False
) -> list[QuadMesh]:
    """Draw scores of each subject, every row with its label.

    With `nulls`, there is a strip of null levels beside them.
    """
    meshes = []
    for axes, (_, values, layers, timeline) in zip(row, columns, strict=True):
        meshes.append(draw_heatmap(axes, values, timeline, colours))
        label_rows(axes, layers["label"])
        if nulls:
            draw_null_strip(axes, layers["null"], colours)
    return meshes


def draw_score_row(
    fig: Figure,
    row: Sequence[Axes],
    columns: Sequence[Scores],
    colours: Colormap,
    name: str,
    *,
    nulls: bool = False,
    below: bool = False,
) -> None:
    """Draw scores as `draw_scores` on a common scale of colours, which a bar with a name explains.

    With `nulls`, these levels are shown too.
    """
    scale = colour_scale(colours, [one.values for one in columns])
    add_colour_bar(fig, row, draw_scores(row, columns, scale, nulls=nulls), name, below=below)


def add_colour_bar(
    figure: Figure,
    axes: Iterable[Axes],
    shown: Sequence[ScalarMappable],
    label: str,
    *,
    below: bool = False,
) -> Colorbar:
    """Add a colour bar right of axes, or below, for all that is shown, of one scale of colours.

    The label also says what grey means where there is any.
    """
    note = "\n(grey: not defined)" if any(np.ma.is_masked(one.get_array()) for one in shown) else ""
    # the same width in figures of all heights
    place: Any = {"aspect": 8 * figure.get_figheight(), "pad": 0.015}
    if below:
        place = {"aspect": 20, "pad": 0.02, "location": "bottom"}
    bar = figure.colorbar(shown[0], ax=list(axes), label=label + note, **place)
    bar.outline.set_visible(False)
    number_bar(bar)
    return bar


def number_bar(bar: Colorbar) -> None:
    """Put the numbers of its quantity's own scale on a colour bar, if it has one."""
    if scale := SCALES.get(bar.cmap.name):
        bar.set_ticks(scale.ticks, labels=[f"{tick:g}" for tick in scale.ticks])
        bar.minorticks_off()
