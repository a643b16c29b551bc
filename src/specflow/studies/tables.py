"""What tables of all kinds share: reading files of measures, rows, and what summaries say of them.

A summary has mean and std (ddof = 1) over units (seeds, paths, matrices). It is None where a
quantity is not defined for every unit, and the std where there is one unit alone.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from h5py import h5o

from specflow import hdf5
from specflow.errors import BrokenFileError
from specflow.frames import BASELINE

_ROUNDING = 1e-12  # share of a value that units differ by if they are the same
KEEPS = ("full", "top", "bottom")
_PRUNED = ("reestimated", "top", "bottom")  # beside the history; the first with BatchNorm alone

Row = tuple[Any, ...]
Spread = dict[str, float | None]


def curves_in(group: h5py.Group, keeps: Iterable[str]) -> list[tuple[str, str, str, str]]:
    """Return (keep, keep_fraction, split, metric) of every curve of a group but baselines.

    Args:
        group: Holds /<keep>/<keep_fraction>/<split>/<metric>.
        keeps: The variants, in the order wanted; those that the group has not are left out.
    """
    return [
        (keep, fraction, split, metric)
        for keep in keeps
        if keep in group
        for fraction in group[keep]
        for split in group[keep][fraction]
        for metric in group[keep][fraction][split]
        if not metric.endswith(BASELINE)
    ]


def pruning_rows(file: h5py.File) -> Iterator[Row]:
    """Yield ("pruning", step, split, keep, keep_fraction, metric, value) of a run's prunings."""
    steps = read(file, "step").tolist()
    for keep, fraction, split, metric in curves_in(file, _PRUNED):
        values = read(file, f"{keep}/{fraction}/{split}/{metric}")
        for step, value in zip(steps, values.tolist(), strict=True):
            yield "pruning", step, split, keep, float(fraction), metric, value


def entries_of(file: h5py.File, kind: str) -> dict[str, h5py.Group]:
    """Return the entries of a group by name, from the input of the network to its output.

    Args:
        file: The file; without the group there are no entries.
        kind: "matrices" or "pairs"; their groups, whose names may have slashes, say their `depth`.
    """
    if kind not in file:
        return {}
    group, names = file[kind], list[str]()

    def note(name: bytes, info: h5o.ObjInfo) -> None:
        if info.type == h5o.TYPE_GROUP:
            names.append(name.decode())

    h5o.visit(group.id, note, info=True)
    found = [(name, group[name]) for name in names]
    depths = {name: entry.attrs.get("depth") for name, entry in found}
    described = [(name, entry) for name, entry in found if depths[name] is not None]
    return dict(sorted(described, key=lambda one: depths[one[0]]))


def read(group: h5py.Group, name: str) -> np.ndarray:
    """Return a whole array of a file.

    Raises:
        BrokenFileError: If it is not there, or the file is damaged at it.
    """
    try:
        return hdf5.read(group, name)
    except (KeyError, OSError) as error:
        path = Path(group.file.filename)
        raise BrokenFileError(path, f"cannot read {group.name}/{name} ({error})") from error


def tables_of(
    columns: Mapping[str, Sequence[str]], rows: Iterable[tuple[str, Row]]
) -> dict[str, pd.DataFrame]:
    """Return tables by name, of rows that say which table they are of; there may be none."""
    found: dict[str, list[Row]] = {table: [] for table in columns}
    for table, row in rows:
        found[table].append(row)
    return {table: pd.DataFrame(found[table], columns=list(columns[table])) for table in columns}


def stacked(columns: Sequence[str], frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Return rows below each other, of which there may be none, with the columns wanted.

    Cells of a column that a frame does not have are empty.
    """
    full = [frame for frame in frames if len(frame)]
    if not full:
        return pd.DataFrame(columns=list(columns))
    return pd.concat(full, ignore_index=True).reindex(columns=list(columns))


def metrics(
    table: pd.DataFrame, unit: list[str], column: str = "value", ending: str = ""
) -> dict[str, Spread]:
    """Return a column over units by `split/metric` of its rows, names with an ending."""
    return {
        f"{split}/{metric}{ending}": over(rows, column, unit)
        for (split, metric), rows in table.groupby(["split", "metric"], sort=False)
    }


def pruned_metrics(pruning: pd.DataFrame) -> dict[str, dict[str, Spread]]:
    """Return what `metrics` returns over seeds of each pruning, by what it keeps: "top_0.5"."""
    return {
        f"{keep}_{fraction:g}": metrics(rows, ["seed"])
        for (keep, fraction), rows in pruning.groupby(["keep", "keep_fraction"], sort=False)
    }


def over(table: pd.DataFrame, column: str, unit: list[str]) -> Spread:
    """Return mean and std over units of the mean of what is defined in a column of each."""
    defined = table[column].where(np.isfinite(table[column]))
    return spread(defined.groupby([table[name] for name in unit]).mean())


def spread(values: pd.Series) -> Spread:
    """Return mean and std of one value a unit; a std that is rounding alone is 0."""
    if not len(values) or not np.isfinite(values).all():
        return {"mean": None, "std": None}
    std = float(values.std())
    differ = std > _ROUNDING * values.abs().max()
    return {
        "mean": rounded(values.mean()),
        "std": rounded(std if differ else 0.0) if len(values) > 1 else None,
    }


def rounded(value: float, digits: int = 5) -> float:
    """Return a number with so many significant digits."""
    return float(f"{value:.{digits}g}")
