"""Quantities against depth, a mark a role: which kinds of matrices do what, and where."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from specflow.figures import heatmaps, style
from specflow.figures.registry import figure
from specflow.figures.subjects import Subject
from specflow.frames import RANK, Tables, at_end, where

UNKNOWN = "no known role"
AXIS = "depth (number of the matrix)"
_SHOWN = (RANK, "stable_rank", "spectral_norm")
# Of different counts, so that no two of a hundred roles share both; no hexagon beside the circle.
_COLOURS = (*style.LINE_COLOURS, "#332288", "#AA3377", "#999999", "#117733")
_MARKERS = "osD^vPX*<>p"
_HEIGHT = 1.75  # inches of a panel
_KEYS = 6  # in a line of the legend
_LOG_SPREAD = 20.0
_FIRST = {"markerfacecolor": "white", "linestyle": ":", "alpha": 0.55}


class _Numbers(MaxNLocator):
    """Ticks at the numbers of matrices: the first, and round ones as far apart as is legible."""

    def tick_values(self, vmin: float, vmax: float) -> Sequence[float]:
        round_ones = super().tick_values(vmin, vmax)
        return [1, *(number for number in round_ones if number > 1 and number == round(number))]


@figure(
    "checkpoints",
    title="Quantities of all matrices by depth and role",
    caption="Each matrix has a mark, at its place from the input of the network (left) to its "
    "output; lines join matrices of one role. Filled at the last checkpoint, hollow with dots at "
    "the first.",
    when=lambda tables, subject: len(subject.layers(tables, "matrix")) > 1,
    order=4,
)
def by_depth(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw a panel for each of a few quantities."""
    rows = with_roles(subject.rows(tables, "spectra"), tables, subject)
    last, first = at_end(rows), rows[rows["step"] == rows["step"].min()]
    labels, has_more = {name: style.quantity_label(name) for name in _SHOWN}, len(first) < len(rows)
    shown = pd.concat([first, last])
    if has_more:
        labels[RANK] += f" (hollow: step {first['step'].iat[0]})"
    for name, axes in depth_panels(fig, labels).items():
        if has_more:
            draw_roles(axes, first, name, hollow=True)
        draw_roles(axes, last, name)
        scale_wide(axes, rows[name])
    add_role_keys(fig, shown, _SHOWN)


def with_roles(rows: pd.DataFrame, tables: Tables, subject: Subject) -> pd.DataFrame:
    """Return rows of matrices with their `role` and `depth`, from 0."""
    matrices = where(tables["matrices"], experiment=subject.experiment)
    return rows.merge(matrices[["matrix", "role", "depth"]], on="matrix")


def explain_lines(fig: Figure, grid: Sequence[Axes], count: int, keys: Sequence[Artist]) -> None:
    """Explain lines whose colours are depth by a bar, or bands of many by the keys of a legend."""
    if keys:
        fig.legend(handles=keys, loc="outside lower center", ncols=len(keys))
        return
    depths = ScalarMappable(Normalize(1, max(count, 2)), style.DEPTH_MAP)
    bar = heatmaps.add_colour_bar(fig, grid, [depths], AXIS)
    bar.set_ticks(MaxNLocator(integer=True))
    bar.ax.invert_yaxis()


def draw_each(fig: Figure, grid: Sequence[Axes], rows: pd.DataFrame, values: Sequence[str]) -> None:
    """Draw a column of rows in each panel, mean over seeds, with a legend of roles."""
    means = rows.groupby(["role", "depth"], as_index=False)[list(values)].mean()
    for axes, name in zip(grid, values, strict=True):
        draw_roles(axes, means, name)
    add_role_keys(fig, means, values)


def depth_panels(fig: Figure, labels: Mapping[str, str]) -> dict[str, Axes]:
    """Return a panel below the other for each quantity, by its name, with its label."""
    fig.set_figheight(0.9 + _HEIGHT * len(labels))
    grid = fig.subplots(len(labels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, label in zip(grid, labels.values(), strict=True):
        axes.set_title(label)
    grid[-1].set_xlabel(AXIS)
    return dict(zip(labels, grid, strict=True))


def draw_roles(axes: Axes, rows: pd.DataFrame, value: str, *, hollow: bool = False) -> None:
    """Draw a mark for each matrix, those of a role joined.

    Args:
        axes: The panel.
        rows: A row a matrix, with its `role` and `depth`, from 0.
        value: Column of the ordinate; what is not finite is left out.
        hollow: Whether marks are hollow, on dotted lines.
    """
    finite = rows[np.isfinite(rows[value].astype(float))].sort_values("depth")
    looks = role_looks(rows.sort_values("depth")["role"])
    axes.xaxis.set_major_locator(_Numbers("auto", integer=True))
    for role, own in finite.groupby("role", sort=False):
        look = looks[str(role)] | (_FIRST if hollow else {})
        axes.plot(own["depth"] + 1, own[value], linewidth=0.8, markersize=4, **look)


def scale_wide(axes: Axes, values: pd.Series) -> None:
    """Make the ordinate logarithmic where values spread wide and none is negative; with a 0."""
    positive = values[np.isfinite(values.astype(float)) & (values > 0)]
    if (values < 0).any() or not len(positive) or positive.max() < _LOG_SPREAD * positive.min():
        return
    if (values == 0).any():
        axes.set_yscale("symlog", linthresh=float(positive.min()))
    else:
        axes.set_yscale("log")


def role_looks(roles: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return colour and mark of every role, in the order in which they come."""
    colours, markers = cycle(_COLOURS), cycle(_MARKERS)
    distinct = dict.fromkeys(roles)
    return {
        role: {"color": colour, "marker": marker}
        for role, colour, marker in zip(distinct, colours, markers, strict=False)
    }


def add_role_keys(fig: Figure, rows: pd.DataFrame, values: Sequence[str]) -> None:
    """Put a legend of all roles with a mark below the panels, unless no role is known.

    Args:
        fig: The figure.
        rows: What `draw_roles` was given in all panels.
        values: Columns of the ordinates.
    """
    looks = role_looks(rows.sort_values("depth")["role"])
    if set(looks) == {""}:
        return
    drawn = set(rows["role"][np.isfinite(rows[list(values)].astype(float)).any(axis=1)])
    keys = [
        Line2D([], [], linewidth=0.8, markersize=4, label=role or UNKNOWN, **look)
        for role, look in looks.items()
        if role in drawn
    ]
    fig.legend(handles=keys, loc="outside lower center", ncols=_KEYS)
