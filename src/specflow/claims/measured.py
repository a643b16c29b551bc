"""A statistic measured on every unit (seed, trunk, matrix), and what tables say of a unit."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd

from specflow.frames import where

_Unit = TypeVar("_Unit")
_LEAST_POINTS = 3  # two points always have a rank correlation of 1 or -1


class UndefinedError(ValueError):
    """Why a statistic has no value on some unit."""


@dataclass(frozen=True)
class Measured:
    """A statistic of every unit, which together decide about a claim.

    Attributes:
        unit: What the units are, in the plural.
        values: The statistic of each; NaN where it is not defined. Of a share, 1 or 0.
        is_share: Whether the claim is about the share of units that have the value 1.
        note: Why units have no value; empty if all do.
        caveat: Why an interval over the units is not to be taken at its word; may be empty.
        score: A second statistic of each unit, for a claim with two conditions.
        over_null: Mean of the statistic over its level among unrelated matrices.
    """

    unit: str
    values: tuple[float, ...]
    is_share: bool = False
    note: str = ""
    caveat: str = ""
    score: tuple[float, ...] | None = None
    over_null: float | None = None


def over_units(
    plural: str, singular: str, units: Iterable[_Unit], statistic: Callable[[_Unit], float]
) -> Measured:
    """Measure a statistic on every unit, with a note on those where it raises UndefinedError."""
    values, reasons = [], dict[str, list[str]]()
    for unit in units:
        try:
            values.append(statistic(unit))
        except UndefinedError as reason:
            values.append(np.nan)
            reasons.setdefault(str(reason), []).append(f"{singular} {unit}")
    note = "; ".join(f"{reason} ({', '.join(names)})" for reason, names in reasons.items())
    return Measured(plural, tuple(values), note=note)


def over_seeds(table: pd.DataFrame, statistic: Callable[[int], float]) -> Measured:
    """Measure a statistic on every seed of a table, in ascending order."""
    return over_units("seeds", "seed", sorted(table["seed"].unique()), statistic)


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


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the rank correlation of Spearman (1904) in [-1, 1], ties at their mean rank.

    Args:
        first: Numbers, shape (n,), finite.
        second: Their partners, shape (n,), finite.

    Raises:
        UndefinedError: If there are fewer than three points, or one side is constant.
    """
    from scipy import stats  # takes long to import, and checking params.yaml imports this file

    if len(first) < _LEAST_POINTS:
        raise UndefinedError(f"{len(first)} points are too few for a rank correlation")
    if len(set(first)) == 1 or len(set(second)) == 1:
        raise UndefinedError("a constant has no rank correlation")
    return float(stats.spearmanr(first, second).statistic)
