"""Reading the HDF5 files of measures, and putting what they hold into tables."""

from collections.abc import Iterable, Iterator, Sequence

import h5py
import numpy as np
import pandas as pd

from specflow.frames import BASELINE
from specflow.hdf5 import BrokenFileError

KEEPS = ("full", "top", "bottom")


def curves_in(group: h5py.Group, keeps: Iterable[str]) -> list[tuple[str, str, str, str]]:
    """Return (keep, keep_fraction, split, metric) of every curve of a group but baselines.

    Args:
        group: Holds /<keep>/<keep_fraction>/<split>/<metric>.
        keeps: The variants, in the order wanted.

    Returns:
        Names of groups and datasets.
    """
    return [
        (keep, fraction, split, metric)
        for keep in keeps
        for fraction in group[keep]
        for split in group[keep][fraction]
        for metric in group[keep][fraction][split]
        if not metric.endswith(BASELINE)
    ]


def entries_of(file: h5py.File, kind: str) -> dict[str, h5py.Group]:
    """Return the entries of a group by name, from the input of the network to its output.

    Args:
        file: The file.
        kind: "matrices" or "pairs"; their groups, whose names may have slashes, say their `depth`.

    Returns:
        Groups by name; none if the file has no such kind.
    """
    found = dict(_described(file[kind], "")) if kind in file else {}
    return dict(sorted(found.items(), key=lambda entry: entry[1].attrs["depth"]))


def _described(group: h5py.Group, prefix: str) -> Iterator[tuple[str, h5py.Group]]:
    for name in group:
        if group.get(name, getclass=True) is h5py.Group:
            if "depth" in group[name].attrs:
                yield prefix + name, group[name]
            yield from _described(group[name], f"{prefix}{name}/")


def read(group: h5py.Group, name: str) -> np.ndarray:
    """Return a whole array of a file.

    Raises:
        BrokenFileError: If it is not there, or the file is damaged at it.
    """
    try:
        return group[name][()]
    except (KeyError, OSError) as error:
        raise BrokenFileError(
            f"{group.file.filename}: cannot read {group.name}/{name} ({error}); "
            "`dvc checkout --force` restores it from the cache, `dvc repro -f` makes it again"
        ) from error


def stacked(columns: Sequence[str], frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Return rows below each other; there may be none.

    Args:
        columns: The columns wanted, in order; cells of one that a frame does not have are empty.
        frames: The rows.
    """
    full = [frame for frame in frames if len(frame)]
    if not full:
        return pd.DataFrame(columns=list(columns))
    return pd.concat(full, ignore_index=True).reindex(columns=list(columns))
