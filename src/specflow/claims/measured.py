"""A statistic measured on every unit (seed, trunk, matrix), and what tables say of a unit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd

_Unit = TypeVar("_Unit")


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
    unit: str, units: Mapping[str, _Unit], statistic: Callable[[_Unit], float]
) -> Measured:
    """Measure a statistic on every unit.

    Args:
        unit: What the units are, in the plural.
        units: What the statistic is called with, by the name that a note calls the unit.
        statistic: Returns the value of a unit, or raises UndefinedError.

    Returns:
        The values in the order of the units, with a note on those that have none.
    """
    values, reasons = [], dict[str, list[str]]()
    for name, key in units.items():
        try:
            values.append(statistic(key))
        except UndefinedError as reason:
            values.append(np.nan)
            reasons.setdefault(str(reason), []).append(name)
    note = "; ".join(f"{reason} ({', '.join(names)})" for reason, names in reasons.items())
    return Measured(unit, tuple(values), note=note)


def over_seeds(table: pd.DataFrame, statistic: Callable[[int], float]) -> Measured:
    """Measure a statistic on every seed.

    Args:
        table: Has a row of each seed.
        statistic: Returns the value of a seed, or raises UndefinedError.

    Returns:
        The values by ascending seed.
    """
    seeds = {f"seed {seed}": seed for seed in sorted(table["seed"].unique())}
    return over_units("seeds", seeds, statistic)


def mean_of(table: pd.DataFrame, column: str) -> float:
    """Return the mean of a column.

    Args:
        table: The rows.
        column: A column of numbers.

    Returns:
        The mean over all rows.

    Raises:
        UndefinedError: If there are no rows, or one holds no finite number.
    """
    values = table[column].to_numpy(np.float64)
    if not len(values):
        raise UndefinedError(f"the tables hold no {column}")
    if not np.isfinite(values).all():
        raise UndefinedError(f"{column} is not defined or not finite somewhere")
    return float(values.mean())
