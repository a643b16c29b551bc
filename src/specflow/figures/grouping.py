"""From rows of a table to what is drawn: a mean and its spread, or a grid of means."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from specflow.tables.reading import Numbers, Table


class Curve(NamedTuple):
    """A curve with its spread, over units; all of shape (points,), `x` ascending."""

    x: Numbers
    mean: Numbers
    std: Numbers
    least: Numbers


class Grid(NamedTuple):
    """Means by row and by `x` (points,), ascending: `values` (rows, points), NaN if undefined."""

    x: Numbers
    values: Numbers


def curve(table: Table, x: str, value: str, unit: Sequence[str]) -> Curve:
    """Return mean and standard deviation over units (seeds, or trunks and branch pairs).

    The rows of one unit at one x (of several matrices, say) are averaged first, so that the spread
    is that of units. The deviation is that of the units at hand (over n, not n - 1): 0 for one.

    Args:
        table: The rows.
        x: Column of the abscissa.
        value: Column of the ordinate; cells that are not finite are left out.
        unit: Columns that together tell one unit from another.

    Returns:
        The curve, without the points at which no unit has a value.
    """
    xs, at = np.unique(table.numbers(x), return_inverse=True)
    num_units, units = _codes(table, unit)
    cells = _mean_by(table.numbers(value), at, units, (len(xs), num_units))
    mean = _mean_of_rows(cells)
    variance = _mean_of_rows((cells - mean[:, None]) ** 2)
    defined = np.isfinite(mean)
    least = np.where(np.isfinite(cells), cells, np.inf).min(axis=1, initial=np.inf)
    return Curve(xs[defined], mean[defined], np.sqrt(variance[defined]), least[defined])


def grid(table: Table, rows: str, names: Sequence[str | float], x: str, value: str) -> Grid:
    """Return means of a value by row and by x.

    Args:
        table: The rows of the table.
        rows: Column that says in which row of the grid a value falls.
        names: The rows of the grid, in order; other values of the column are left out.
        x: Column of the abscissa.
        value: Column of the value; cells that are not finite are left out.

    Returns:
        The grid; x holds every value that the table has, also where no cell is defined.
    """
    xs, at = np.unique(table.numbers(x), return_inverse=True)
    place = {name: index for index, name in enumerate(names)}
    row = np.array([place.get(name, -1) for name in table.column(rows).tolist()], dtype=int)
    known = row >= 0
    shape = (len(names), len(xs))
    return Grid(xs, _mean_by(table.numbers(value)[known], row[known], at[known], shape))


def final_values(table: Table, value: str) -> Numbers:
    """Return a value at the last step by seed, the mean over each seed's rows.

    Args:
        table: Rows of one experiment.
        value: Column of the value; cells that are not finite are left out.

    Returns:
        Shape (seeds,), without the seeds that have none.
    """
    rows = table.where(step=np.max(table.numbers("step"), initial=0))
    num_seeds, seeds = _codes(rows, ["seed"])
    means = _mean_by(rows.numbers(value), seeds, np.zeros_like(seeds), (num_seeds, 1))[:, 0]
    return means[np.isfinite(means)]


def _codes(table: Table, columns: Sequence[str]) -> tuple[int, np.ndarray]:
    code = np.zeros(len(table), dtype=int)
    for name in columns:
        values, inverse = np.unique(table.column(name), return_inverse=True)
        code = code * len(values) + inverse
    distinct, code = np.unique(code, return_inverse=True)
    return len(distinct), code


def _mean_by(
    values: Numbers, first: np.ndarray, second: np.ndarray, shape: tuple[int, int]
) -> Numbers:
    defined = np.isfinite(values)
    cell = np.ravel_multi_index((first[defined], second[defined]), shape)
    size = shape[0] * shape[1]
    count = np.bincount(cell, minlength=size)
    total = np.bincount(cell, weights=values[defined], minlength=size)
    return _ratio(total, count).reshape(shape)


def _mean_of_rows(cells: Numbers) -> Numbers:
    defined = np.isfinite(cells)
    return _ratio(np.where(defined, cells, 0).sum(axis=1), defined.sum(axis=1))


def _ratio(total: np.ndarray, count: np.ndarray) -> Numbers:
    return np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)
