"""What tables take from every matrix and pair of a run: few numbers of each, entry by entry.

Entries come from a file of spectra, or from where it is being written: finding many thousands in a
file again takes as long as writing them.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import torch

from specflow.hdf5 import open_file
from specflow.measure.layouts import SPECTRA
from specflow.measure.spectra_file import Entry
from specflow.spectra import QUANTITIES, is_direction
from specflow.studies import heads
from specflow.studies.shown import Key
from specflow.studies.tables import entries_of, read

TOP = 10  # directions whose agreement is compared with that of as many next ones
KINDS: dict[str, Key] = {"matrices": "matrix", "pairs": "pair"}  # and the column that names one

_SCORES = {
    "matrices": (*QUANTITIES, "agreement_score", "step_agreement_score"),
    "pairs": ("alignment_score",),
}


class SpectraRows:
    """Rows of one run or of checkpoints, to which entries are added in the order of depth.

    Attributes:
        about: The attributes of each entry, by kind and name.
    """

    def __init__(self) -> None:
        """Have no entries yet."""
        self.about: dict[str, dict[str, Mapping[str, Any]]] = {kind: {} for kind in KINDS}
        self._scores: dict[str, dict[str, array[float]]] = defaultdict(dict)
        self._growth: list[tuple[str, float, float]] = []
        self._settling: list[tuple[str, np.ndarray]] = []
        self._heads: list[tuple[str, dict[str, np.ndarray]]] = []
        self._total = self._defined = np.zeros(())

    def add(self, entry: Entry) -> None:
        """Take what tables need from an entry; where it lacks a quantity that others have is NaN.

        Raises:
            BrokenFileError: If it comes from a file that is damaged at it.
        """
        kind, name, attributes, arrays = entry
        for score in _SCORES[kind]:
            if score in arrays or score not in QUANTITIES:
                values = arrays[score].astype(np.float64)
                column = self._scores[kind].setdefault(score, array("d"))
                column.extend(np.full(len(self.about[kind]) * len(values) - len(column), np.nan))
                column.frombytes(values.tobytes())
        self.about[kind][name] = attributes
        if kind == "matrices":
            self._add_matrix(name, arrays)
        elif heads.SPECTRA in arrays:
            self._heads.append((name, heads.quantities_of(arrays[heads.SPECTRA])))

    def _add_matrix(self, name: str, arrays: Mapping[str, np.ndarray]) -> None:
        self._growth.append((name, *growth_factors(*arrays["singular_values"][[0, -1]])))
        agreement, scores = arrays["agreement"], arrays["pairwise_agreement"]
        if agreement.shape[1] >= 2 * TOP:
            groups = agreement[:, : 2 * TOP].reshape(-1, 2, TOP).mean(axis=2).T
            self._settling.append((name, groups))
        self._total = self._total + np.nan_to_num(scores)
        self._defined = self._defined + np.isfinite(scores)

    def frames(self, steps: np.ndarray) -> Iterator[tuple[str, pd.DataFrame]]:
        """Yield tables of every entry and step, by name: as they come, without run and seed.

        Args:
            steps: Numbers of the steps of every entry.
        """
        yield "spectra", self._frame("matrices", steps)
        yield "alignment", self._frame("pairs", steps)
        yield from ((heads.TABLE, heads.rows_of(steps, *one)) for one in self._heads)
        columns = ["matrix", "top_growth", "median_growth"]
        yield "growth", pd.DataFrame(self._growth, columns=columns)
        yield "settling", self._settled(steps)

    def _frame(self, kind: str, steps: np.ndarray) -> pd.DataFrame:
        """Return a row for each entry and step, with the scores that any entry has."""
        names = np.array(list(self.about[kind]), dtype=object)
        cells = {"step": np.tile(steps, len(names)), KINDS[kind]: np.repeat(names, len(steps))}
        there = self._scores[kind]
        for score in filter(there.__contains__, _SCORES[kind]):
            after = len(cells["step"]) - len(there[score])  # of entries behind the last that has it
            cells[score] = np.pad(there[score], (0, after), constant_values=np.nan)
        return pd.DataFrame(cells)

    def _settled(self, steps: np.ndarray) -> pd.DataFrame:
        """Return the mean agreement with the last step of directions 1 to 10, and of 11 to 20.

        At half of all steps, between two kept ones on the line through these; matrices with fewer
        directions kept have no row.
        """
        half = (steps[0] + steps[-1]) / 2
        rows = [
            (matrix, half, *(float(np.interp(half, steps, scores)) for scores in groups))
            for matrix, groups in self._settling
        ]
        return pd.DataFrame(rows, columns=["matrix", "step", "top_score", "next_score"])

    def mean_agreement(self) -> np.ndarray:
        """Return the mean agreement of two steps over matrices, shape (P, P); NaN if of none."""
        undefined = np.full_like(self._total, np.nan)
        return np.divide(self._total, self._defined, out=undefined, where=self._defined > 0)


def rows_in(path: Path) -> SpectraRows:
    """Return the rows of a file of spectra.

    Raises:
        BrokenFileError: If it is missing or broken.
    """
    rows = SpectraRows()
    with open_file(path, SPECTRA) as file:
        for kind in KINDS:
            for name, group in entries_of(file, kind).items():
                rows.add(Entry(kind, name, dict(group.attrs), _Stored(group)))
    return rows


class _Stored(Mapping[str, np.ndarray]):
    """The arrays of a group of a file, each read when it is asked for."""

    def __init__(self, group: h5py.Group) -> None:
        self._group = group

    def __getitem__(self, name: str) -> np.ndarray:
        return read(self._group, name)

    def __contains__(self, name: object) -> bool:
        return name in self._group

    def __iter__(self) -> Iterator[str]:
        return iter(self._group)

    def __len__(self) -> int:
        return len(self._group)


def growth_factors(start: np.ndarray, end: np.ndarray) -> tuple[float, float]:
    """Return by what the top singular value grew, and the median of what each grew by.

    Args:
        start: Singular values at the first step, shape (R,), descending.
        end: Those at the last step, shape (R,), descending.

    Returns:
        s_1(T) / s_1(0), and the median over directions i of the first step of s_i(T) / s_i(0);
        both NaN if there are none.
    """
    if not start[0] > 0:
        return np.nan, np.nan
    there = is_direction(torch.from_numpy(start)).numpy()
    factors = end[there] / start[there]
    return float(factors[0]), float(np.median(factors))
