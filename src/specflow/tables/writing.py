"""Tidy CSV tables: one row a value, five significant digits, empty cells for what is undefined."""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from specflow.textfiles import write_text

Cell = str | int | float


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Write a table.

    Args:
        path: Where to; missing folders are made.
        columns: Names of the columns.
        rows: Cells in the order of the columns.

    Raises:
        SpecflowError: If the file cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_format(cell) for cell in row] for row in rows)
    write_text(path, text.getvalue())


def _format(cell: Cell) -> str | int:
    if not isinstance(cell, float):
        return cell
    return "" if math.isnan(cell) else f"{cell:.5g}"
