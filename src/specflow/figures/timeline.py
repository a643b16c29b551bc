"""The axis of training time: true epochs or steps, linear or logarithmic with room for step 0."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from specflow.figures.section import AxisParams, CheckpointsFigureParams

_LINEAR_PART = 0.4  # decades of a log axis that the stretch from 0 to the first checkpoint takes
_APART = 2.0  # times the first checkpoint; the number of an earlier tick would touch its own


@dataclass(frozen=True)
class Timeline:
    """How training time is drawn.

    Attributes:
        unit: What it counts.
        scale: linear, or log; a log axis is linear from 0 to the first checkpoint after it.
    """

    unit: str
    scale: Literal["linear", "log"]

    @classmethod
    def of(
        cls, params: AxisParams | CheckpointsFigureParams, steps: Iterable[int], of: str = ""
    ) -> "Timeline":
        """Return the timeline that params describe, log for `auto` if most of `steps` are early.

        The unit is that of params, followed by `of`.
        """
        unit = params.x + of
        if params.scale != "auto":
            return cls(unit, params.scale)
        distinct = np.unique(list(steps))
        early = np.median(distinct) - distinct[0] < (distinct[-1] - distinct[0]) / 10
        return cls(unit, "log" if early and len(distinct) > 2 else "linear")

    def edges(self, x: Iterable[float]) -> np.ndarray:
        """Return the n + 1 edges of cells around n checkpoints, which ascend.

        These are the first and the last checkpoint, and between neighbours the middle as it appears
        on this axis. A single checkpoint gets a cell of width 1.
        """
        x = np.array(list(x), dtype=float)
        if len(x) == 1:
            return np.array([x[0] - 0.5, x[0] + 0.5])
        middle = (x[1:] + x[:-1]) / 2
        if self.scale == "log":
            positive = x[:-1] > 0
            middle[positive] = np.sqrt(x[1:] * x[:-1])[positive]
        return np.concatenate([x[:1], middle, x[-1:]])

    def apply(self, axes: Axes, x: Iterable[float]) -> None:
        """Scale the horizontal axis, limit it to `x`, all that is drawn, label the last row's."""
        place = axes.get_subplotspec()
        assert place is not None, "a panel of the figure"
        axes.set_xlabel(self.unit if place.is_last_row() else "")
        x = np.array(list(x), dtype=float)
        if len(x) == 0:
            return
        low, high = float(np.min(x)), float(np.max(x))
        if low == high:
            axes.set_xticks([low], [f"{low:.10g}"])
            low, high = low - 0.5, high + 0.5
        elif self.scale == "log":
            self._apply_log(axes, x)
        axes.set_xlim(low, high)

    def _apply_log(self, axes: Axes, x: np.ndarray) -> None:
        first = float(np.min(x[x > 0]))
        axes.set_xscale("symlog", linthresh=first, linscale=_LINEAR_PART)
        ticks = round_numbers(first, float(np.max(x)))
        ends = [0.0] if np.min(x) <= 0 else [first]
        ticks = [*ends, *(tick for tick in ticks if tick >= ends[0] * _APART)]
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_major_formatter(FixedFormatter([f"{tick:g}" for tick in ticks]))
        axes.xaxis.set_minor_locator(NullLocator())


def round_numbers(first: float, last: float) -> list[float]:
    """Return round numbers from first to last: powers of ten, or 1, 2, 5 of each if few."""
    powers = range(int(np.floor(np.log10(first))), int(np.ceil(np.log10(last))) + 1)
    for factors in ((1,), (1, 3), (1, 2, 5)):
        ticks = [factor * 10.0**power for power in powers for factor in factors]
        ticks = [tick for tick in ticks if first <= tick * (1 + 1e-9) and tick <= last]
        if len(ticks) >= 3:
            break
    return ticks
