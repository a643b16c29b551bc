"""Small panels: one for each of many matrices, pairs or quantities."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from specflow.figures import style

_HEIGHT = 1.55  # inches of a panel with its title


def small_panels(fig: Figure, titles: Sequence[str], num_columns: int) -> list[Axes]:
    """Return a panel for each title, row by row, on a figure as high as they need."""
    num_rows = math.ceil(len(titles) / num_columns)
    fig.set_figheight(0.8 + _HEIGHT * num_rows)
    grid = fig.subplots(num_rows, num_columns, squeeze=False)
    for place, row in enumerate(grid):
        shown = titles[place * num_columns :][:num_columns]
        parts = [(title,) for title in shown] + [("",)] * (num_columns - len(shown))
        style.title_columns(row, parts)
    for axes in grid.flat[len(titles) :]:
        axes.axis("off")
    return list(grid.flat[: len(titles)])


def say(axes: Axes, text: str) -> None:
    """Put a text in the middle of a panel that has nothing to show."""
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes)


def label_columns(panels: Sequence[Axes], label: str, num_columns: int) -> None:
    """Say what the horizontal axis counts below the last panel of every column."""
    for axes in panels[-num_columns:]:
        axes.set_xlabel(label)
