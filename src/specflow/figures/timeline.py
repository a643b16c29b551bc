"""The axis of training time: true epochs or steps, linear or logarithmic with room for step 0."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from specflow.params.figures import AxisParams
from specflow.tables.reading import Numbers

_LINEAR_PART = 0.4  # decades of a log axis that the stretch from 0 to the first checkpoint takes


@dataclass(frozen=True)
class Timeline:
    """How training time is drawn.

    Attributes:
        unit: What it counts.
        scale: linear, or log; a log axis is linear from 0 to the first checkpoint after it.
    """

    unit: Literal["epoch", "step"]
    scale: Literal["linear", "log"]

    @classmethod
    def of(cls, params: AxisParams) -> "Timeline":
        """Return the timeline that params describe."""
        return cls(params.x, params.scale)

    @property
    def column(self) -> str:
        """Column of a run's tables."""
        return self.unit

    @property
    def split_column(self) -> str:
        """Column of a connection's tables."""
        return f"split_{self.unit}"

    def edges(self, x: Numbers) -> Numbers:
        """Return the edges of cells around checkpoints, for heatmaps.

        Args:
            x: Checkpoints, ascending, shape (n,).

        Returns:
            Shape (n + 1,): the first and the last checkpoint, and between neighbours the middle
            as it appears on this axis. A single checkpoint gets a cell of width 1.
        """
        if len(x) == 1:
            return np.array([x[0] - 0.5, x[0] + 0.5])
        middle = (x[1:] + x[:-1]) / 2
        if self.scale == "log":
            positive = x[:-1] > 0
            middle[positive] = np.sqrt(x[1:] * x[:-1])[positive]
        return np.concatenate([x[:1], middle, x[-1:]])

    def apply(self, axes: Axes, x: Numbers, label: str | None = None) -> None:
        """Scale, limit and label the horizontal axis.

        Args:
            axes: What to change.
            x: Everything that is drawn, in any order, shape (n,).
            label: Text of the axis; the unit if None, nothing if empty.
        """
        axes.set_xlabel(self.unit if label is None else label)
        low, high = float(np.min(x)), float(np.max(x))
        if low == high:
            low, high = low - 0.5, high + 0.5
        elif self.scale == "log":
            self._apply_log(axes, x)
        axes.set_xlim(low, high)

    def _apply_log(self, axes: Axes, x: Numbers) -> None:
        first = float(np.min(x[x > 0]))
        axes.set_xscale("symlog", linthresh=first, linscale=_LINEAR_PART)
        ticks = _decades(first, float(np.max(x)))
        if np.min(x) <= 0:
            ticks = [0.0, *ticks]
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_major_formatter(FixedFormatter([f"{tick:g}" for tick in ticks]))
        axes.xaxis.set_minor_locator(NullLocator())


def _decades(first: float, last: float) -> list[float]:
    """Return round numbers from first to last: powers of ten, or 1, 2, 5 of each if few."""
    for factors in ((1,), (1, 3), (1, 2, 5)):
        powers = range(int(np.floor(np.log10(first))), int(np.ceil(np.log10(last))) + 1)
        ticks = [factor * 10.0**power for power in powers for factor in factors]
        ticks = [tick for tick in ticks if first <= tick * (1 + 1e-9) and tick <= last]
        if len(ticks) >= 3:
            break
    return ticks
