"""From rows of a table to what is drawn: a mean and its spread, or a grid of means."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from specflow.frames import at_end


def curve(
    rows: pd.DataFrame, value: str, unit: Sequence[str] = ("seed",), x: str = "time"
) -> pd.DataFrame:
    """Return mean and spread over units: seeds, or trunks and pairs of branches.

    The rows of one unit at one x (of several matrices, say) are averaged first, so that the spread
    is that of units.

    Args:
        rows: The rows.
        value: Column of the ordinate; cells that are not finite are left out.
        unit: Columns that together tell one unit from another.
        x: Column of the abscissa.

    Returns:
        By x, ascending: `mean`, `std` (over n - 1; NaN of one unit) and `least`; without the x at
        which no unit has a value.
    """
    by_unit = _finite(rows, value).groupby([x, *unit])[value].mean()
    return spread(by_unit.groupby(level=0))


def spread(units: Any) -> pd.DataFrame:
    """Return `mean`, `std` (over n - 1) and `least` of values grouped by pandas."""
    return units.agg(mean="mean", std="std", least="min")


def grid(rows: pd.DataFrame, by: str, names: Iterable[Any], value: str) -> pd.DataFrame:
    """Return means of a value by name and by time.

    Args:
        rows: Rows with the column `time`.
        by: Column of the names.
        names: The rows of the grid, in order; other names are left out.
        value: Column of the value; cells that are not finite are left out.

    Returns:
        A column for every time that `rows` have, ascending, also where no cell is defined (NaN).
    """
    finite = rows.assign(**{value: rows[value].where(np.isfinite(rows[value]))})
    return finite.groupby([by, "time"])[value].mean().unstack("time").reindex(list(names))


def final_values(rows: pd.DataFrame, value: str) -> pd.Series:
    """Return a value at the last step by seed, the mean over each seed's finite rows."""
    return _finite(at_end(rows), value).groupby("seed")[value].mean()


def _finite(rows: pd.DataFrame, value: str) -> pd.DataFrame:
    return rows[np.isfinite(rows[value])]
