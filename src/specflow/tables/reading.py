"""The tidy tables as columns of text and of numbers."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specflow.errors import SpecflowError

Numbers = NDArray[np.float64]
Text = NDArray[np.str_]

_TEXT = frozenset(
    {
        *("experiment", "matrix", "pair", "label", "split", "metric", "keep"),
        *("connection", "relation", "trunks", "branches", "ticket", "kind"),
        *("samples", "pixels"),
        *("suite", "parameter", "flag", "evidence"),
    }
)


@dataclass(frozen=True)
class Table:
    """Rows of one table.

    Attributes:
        name: Where it was read from, for messages.
        columns: Arrays of one length by column; text, or float64 with NaN for an empty cell.
    """

    name: str
    columns: Mapping[str, Text | Numbers]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def column(self, name: str) -> Text | Numbers:
        """Return a column, shape (rows,).

        Raises:
            SpecflowError: If the table has no such column.
        """
        if name not in self.columns:
            raise SpecflowError(
                f"{self.name} has no column {name!r}; it has {', '.join(self.columns)}"
            )
        return self.columns[name]

    def numbers(self, name: str) -> Numbers:
        """Return a column of numbers, shape (rows,), float64.

        Raises:
            SpecflowError: If there is no such column, or it holds text.
        """
        values = self.column(name)
        if values.dtype != np.float64:
            raise SpecflowError(f"column {name!r} of {self.name} holds text; expected numbers")
        return values.astype(np.float64, copy=False)

    def distinct(self, name: str) -> list[str]:
        """Return every value of a column of text once, in order of first appearance."""
        return [str(value) for value in dict.fromkeys(self.column(name).tolist())]

    def where(self, **values: str | float | tuple[str, ...]) -> "Table":
        """Return the rows whose columns have these values, or one of several."""
        chosen = np.ones(len(self), dtype=bool)
        for name, value in values.items():
            several = isinstance(value, tuple)
            chosen &= np.isin(self.column(name), value) if several else self.column(name) == value
        return Table(self.name, {name: column[chosen] for name, column in self.columns.items()})

    def among(self, column: str, values: Sequence[str]) -> "Table":
        """Return the rows whose column has one of these values."""
        chosen = np.isin(self.column(column), values)
        return Table(self.name, {name: cells[chosen] for name, cells in self.columns.items()})


def read_table(path: Path) -> Table:
    """Read a CSV table with a header.

    Args:
        path: The file.

    Returns:
        Its rows; there may be none.

    Raises:
        SpecflowError: If the file is missing or empty, a row is too short or too long, or a cell of
            a column of numbers is not a number. The message names the file and the line.
    """
    if not path.is_file():
        raise SpecflowError(f"there is no table {path}; build it with: dvc repro collect")
    with path.open(newline="") as file:
        lines = list(csv.reader(file))
    if not lines:
        raise SpecflowError(f"{path} is empty; expected a header")
    header, rows = lines[0], lines[1:]
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise SpecflowError(f"{path}:{number} has {len(row)} cells; expected {len(header)}")
    cells = list(zip(*rows, strict=True)) or [()] * len(header)
    return Table(
        str(path),
        {
            name: np.array(column, dtype=np.str_) if name in _TEXT else _parse(column, name, path)
            for name, column in zip(header, cells, strict=True)
        },
    )


def _parse(cells: tuple[str, ...], column: str, path: Path) -> Numbers:
    try:
        return np.array([float(cell) if cell else np.nan for cell in cells], dtype=np.float64)
    except ValueError as error:
        raise SpecflowError(f"column {column!r} of {path}: {error}") from error


class Tables:
    """A folder of tables; each is read when it is first asked for."""

    def __init__(self, directory: Path) -> None:
        """Remember the folder."""
        self._directory = directory
        self._read = cache(read_table)

    def __getitem__(self, name: str) -> Table:
        return self._read(self._directory / f"{name}.csv")
