"""The tables that git tracks: small tidy CSV files as pandas data frames (no torch)."""

import hashlib
import io
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from specflow.errors import BrokenFileError
from specflow.sums import SUMS, note, noted_in
from specflow.textfiles import write_text

# Columns of text, beside the first one of every table, which says whose rows they are; all others
# hold numbers, with NaN for an empty cell.
TEXT = frozenset(
    {
        *("experiment", "matrix", "pair", "label", "role", "tensor", "split", "metric", "keep"),
        *("connection", "relation", "trunks", "branches", "ticket", "kind"),
        *("samples", "pixels", "flag", "evidence"),
        *("status", "shape_a", "dtype_a", "shape_b", "dtype_b"),
    }
)
_STAGE = "collect"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")
DIGITS = 5  # significant ones of every number
RANK = "normalized_effective_rank"  # the quantity that claims and figures look at most
_FITTED = 0.01  # share of wrong answers, at most, of a part of the data that is fitted
# Ends the metric that says what a trivial predictor reaches on another one. It does not depend on
# the network: it is in the history alone, not of every pruning and point of a path.
BASELINE = "_baseline"


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table, in a new folder if need be; an undefined number is an empty cell.

    Text that a spreadsheet would take for a formula, as names that are not ours may be, begins with
    an apostrophe in the file.

    The folder's SHA256SUMS, as `sha256sum -c` reads it, has a line for each.

    Raises:
        SpecflowError: If the file cannot be written.
    """
    texts = [name for name in table if name in TEXT or name == table.columns[0]]
    table = table.assign(**{name: table[name].map(_no_formula) for name in texts})
    text = table.to_csv(index=False, float_format=f"%.{DIGITS}g", lineterminator="\n")
    write_text(path, text)
    note(path)


def _no_formula(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def read_table(path: Path) -> pd.DataFrame:
    """Return a table, perhaps without rows: text as str, numbers as int64 or float64.

    Raises:
        BrokenFileError: If the file is missing, empty, or not what was written, a row is too long,
            or a cell of a column of numbers is not a number.
    """
    if not path.is_file():
        raise BrokenFileError(path, "there is no such table", _STAGE)
    content = path.read_bytes()
    if noted_in(path.parent).get(path.name) != hashlib.sha256(content).hexdigest():
        fault = f"damaged or edited: it is not what {SUMS} beside it says"
        raise BrokenFileError(path, fault, _STAGE)
    try:
        header = pd.read_csv(io.BytesIO(content), nrows=0).columns
        texts = {header[0], *TEXT.intersection(header)}
        numbers = [name for name in header if name not in texts]
        table = pd.read_csv(
            io.BytesIO(content),
            index_col=False,
            keep_default_na=False,
            na_values={name: [""] for name in numbers},
            dtype=dict.fromkeys(texts, str),
        )
    except ValueError as error:  # as those of pandas are
        raise BrokenFileError(path, str(error), _STAGE) from error
    for name in texts:
        marked = table[name].str.startswith(tuple(f"'{start}" for start in _FORMULA), na=False)
        table[name] = table[name].where(~marked, table[name].str[1:])
    for name in numbers:
        values = pd.to_numeric(table[name], errors="coerce")
        bad = table.loc[values.isna() & table[name].notna(), name].tolist()
        if bad:
            fault = f"column {name!r}: got {bad[0]!r}; expected a number"
            raise BrokenFileError(path, fault, _STAGE)
        table[name] = values if len(table) else values.astype(float)
    return table


class Tables:
    """A folder of tables; each is read when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        """Remember the folder."""
        self._folder = folder
        self._read = cache(read_table)

    def __getitem__(self, name: str) -> pd.DataFrame:
        """Return the table of this name; not to be changed in place."""
        return self._read(self._folder / f"{name}.csv")

    def __contains__(self, name: str) -> bool:
        """Return whether there is a table of this name."""
        return (self._folder / f"{name}.csv").is_file()


Frames = Mapping[str, pd.DataFrame] | Tables


def where(table: pd.DataFrame, **values: Any) -> pd.DataFrame:
    """Return the rows whose columns have these values, or one of several (a list or tuple)."""
    kept = np.ones(len(table), dtype=bool)
    for name, value in values.items():
        column = table[name]
        kept &= column.isin(value) if isinstance(value, list | tuple) else column == value
    return table[kept]


def at_end(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the last step; none if there are none."""
    return table[table["step"] == table["step"].max()]


def with_epochs(tables: Frames, table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the column `epoch`, which stands in the table of steps alone."""
    return table.merge(tables["steps"], on=["experiment", "step"], how="left")


def with_full(history: pd.DataFrame, pruning: pd.DataFrame) -> pd.DataFrame:
    """Return rows of pruned models after those of the full one, which are a run's history."""
    full = history.assign(keep="full", keep_fraction=1.0)
    return pd.concat([full, pruning], ignore_index=True)


def first_fits(errors: pd.DataFrame) -> pd.Series:
    """Return of every seed the first kept step with at most 1% of answers wrong, or NaN."""
    first = errors[errors["value"] <= _FITTED].groupby("seed")["step"].min()
    return first.reindex(errors["seed"].unique())
