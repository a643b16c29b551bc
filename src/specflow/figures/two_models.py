"""Two models: what moved, by depth and role, and the spectra of what moved most."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from specflow.figures import panels, style
from specflow.figures.depth import add_role_keys, depth_panels, draw_roles, scale_wide
from specflow.figures.registry import figure, has_rows
from specflow.figures.subjects import Subject
from specflow.frames import Tables, where

_PANELS = {
    "relative_change": "relative change ||B - A|| / ||A||",
    "agreement_score": "agreement of the leading singular vectors of A and B (dashed: null level)",
    "rank_difference": "rank of B - A, above rounding",
}
_LOOKS: dict[str, dict[str, Any]] = {
    "a": {"color": "#222222", "linewidth": 2.4, "alpha": 0.35, "label": "A"},
    "b": {"color": "#0072B2", "linewidth": 1.2, "label": "B"},
    "difference": {"color": "#D55E00", "linewidth": 1.2, "label": "B - A"},
}
_ROUNDING: dict[str, Any] = {**style.NULL_LINE, "label": "rounding of the two"}
_COLUMNS = 2
_MARGIN = 1.5  # times the largest value, and the smallest one
_FALL = 30.0  # under the smallest value above rounding, at most, where others lie below it


@figure(
    "comparison",
    title="What moved, by depth and role",
    caption="Each matrix of both models has a mark, at its place from the input of the network "
    "(left) to its output; lines join matrices of one role. The rank of the difference counts its "
    "singular values above what rounding to the dtypes can account for.",
    when=has_rows("compared_matrices"),
    order=1,
)
def moved_by_depth(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw a panel for each of change, agreement and rank of the difference."""
    rows = subject.rows(tables, "compared_matrices").sort_values("depth")
    for name, axes in depth_panels(fig, _PANELS).items():
        draw_roles(axes, rows, name)
        if name == "agreement_score":
            axes.plot(rows["depth"] + 1, rows["null_agreement"], **style.NULL_LINE)
            axes.set_ylim(-0.03, 1.03)
        else:
            scale_wide(axes, rows[name])
        if name == "rank_difference" and axes.get_yscale() == "linear":
            axes.yaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    add_role_keys(fig, rows, [*_PANELS])


@figure(
    "comparison",
    title="Spectra of what moved most",
    caption="Singular values of A, of B and of their difference; below the dashed line is what "
    "rounding can account for, where that is within what the axes show. A difference of low rank "
    "falls below it after few.",
    when=has_rows("compared_spectra"),
    order=2,
)
def moved_spectra(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw a panel for each matrix that the table has."""
    rows = subject.rows(tables, "compared_spectra")
    matrices = subject.rows(tables, "compared_matrices").set_index("matrix")
    shown = rows["matrix"].unique()
    titles = [style.plain(style.shortened(matrices.at[name, "label"])) for name in shown]
    grid = panels.small_panels(fig, titles, _COLUMNS)
    fig.set_figheight(fig.get_figheight() * 1.5)
    for axes, name in zip(grid, shown, strict=True):
        own = where(rows, matrix=name)
        for column, look in _LOOKS.items():
            positive = own[own[column] > 0]
            axes.plot(positive["index"], positive[column], **look)
        axes.axhline(matrices.at[name, "rounding"], **_ROUNDING)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_ylim(*_limits(own[[*_LOOKS]].to_numpy(), matrices.at[name, "rounding"]))
        axes.set_xlabel("index i (1 = largest)")
        axes.set_ylabel("singular value")
    seen = {line.get_label() for axes in grid for line in axes.lines if _is_seen(axes, line)}
    looks = [look for look in (*_LOOKS.values(), _ROUNDING) if look["label"] in seen]
    keys = [Line2D([], [], **look) for look in looks]
    fig.legend(handles=keys, loc="outside lower center", ncols=len(keys))


def _is_seen(axes: Axes, line: Line2D) -> bool:
    low, high = axes.get_ylim()
    heights = np.asarray(line.get_ydata(), dtype=float)
    return bool(((low <= heights) & (heights <= high)).any())


def _limits(values: np.ndarray, rounding: float) -> tuple[float, float]:
    """Return limits that all values above rounding fill; what falls below it is seen to fall."""
    positive = values[values > 0]
    above = positive[positive >= rounding]
    if not above.size:
        above = positive if positive.size else np.ones(1)
    falls = above.size < positive.size
    low = max(rounding, above.min() / _FALL) if falls else above.min()
    return low / _MARGIN, above.max() * _MARGIN
