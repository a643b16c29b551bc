"""A statistic measured on every unit (a seed, a trunk), and what tables say of a unit."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd

from specflow.frames import where

_Unit = TypeVar("_Unit")
Bounds = tuple[float, float]
Pair = tuple[str, str]  # of runs
UNBOUNDED: Bounds = (-math.inf, math.inf)
POSITIVE: Bounds = (0, math.inf)
SHARE: Bounds = (0, 1)
CHANGE: Bounds = (-1, 1)  # of a share
FITTED_CHANGE: Bounds = (-1.5, 1.5)  # of shares, along their least-squares line from end to end


class UndefinedError(ValueError):
    """Why a statistic has no value on some unit."""


@dataclass(frozen=True)
class Measured:
    """A statistic of every unit, which together decide about a claim.

    Attributes:
        unit: What the units are, in the plural; they are independent.
        values: The statistic of each; NaN where it is not defined.
        also: Further statistics of each unit, for a claim with several conditions.
        note: Why units have no value; empty if all do.
        over_null: Mean of the statistic over its level among unrelated matrices.
    """

    unit: str
    values: tuple[float, ...]
    also: tuple[tuple[float, ...], ...] = ()
    note: str = ""
    over_null: float | None = None

    @property
    def statistics(self) -> tuple[tuple[float, ...], ...]:
        """All statistics, each of every unit."""
        return (self.values, *self.also)


def over_units(
    plural: str, singular: str, units: Iterable[_Unit], *statistics: Callable[[_Unit], float]
) -> Measured:
    """Measure statistics on every unit, with a note on those where one raises UndefinedError."""
    rows, reasons = [], dict[str, list[str]]()
    for unit in units:
        try:
            rows.append([statistic(unit) for statistic in statistics])
        except UndefinedError as reason:
            rows.append([np.nan] * len(statistics))
            reasons.setdefault(str(reason), []).append(f"{singular} {unit}")
    note = "; ".join(f"{reason} ({', '.join(names)})" for reason, names in reasons.items())
    values, *also = zip(*rows, strict=True) if rows else ((),) * len(statistics)
    return Measured(plural, values, tuple(also), note)


def over_seeds(table: pd.DataFrame, *statistics: Callable[[int], float]) -> Measured:
    """Measure statistics on every seed of a table, in ascending order."""
    return over_units("seeds", "seed", sorted(table["seed"].unique()), *statistics)


def mean_of(table: pd.DataFrame, column: str) -> float:
    """Return the mean of a column over all rows.

    Raises:
        UndefinedError: If there are no rows, or one holds no finite number.
    """
    values = table[column].to_numpy(np.float64)
    if not len(values):
        raise UndefinedError(f"the tables hold no {column}")
    if not np.isfinite(values).all():
        raise UndefinedError(f"{column} is not defined or not finite somewhere")
    return float(values.mean())


def means_of(table: pd.DataFrame, column: str, **at: Iterable[object]) -> list[float]:
    """Return the mean of a column for each of some values of another one."""
    ((other, values),) = at.items()
    return [mean_of(where(table, **{other: value}), column) for value in values]


def pseudo_values(pairs: Mapping[Pair, float]) -> dict[str, float]:
    """Return the pseudo-values (Tukey 1958) of a mean over pairs of runs, one of each run.

    Pairs that share a run are not independent. The mean of the n pseudo-values is that over pairs
    if each two runs have one, and its jackknife standard error is theirs.

    Args:
        pairs: Values of pairs of runs, three runs or more.
    """
    runs = sorted({run for pair in pairs for run in pair})
    mean = np.mean(list(pairs.values()))
    without = {
        run: np.mean([value for pair, value in pairs.items() if run not in pair]) for run in runs
    }
    n = len(runs)
    return {run: float(n * mean - (n - 1) * without[run]) for run in runs}
