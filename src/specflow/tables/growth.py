"""Rows of the tables about the singular values and vectors of every matrix, boiled down.

They say of all matrices what singular_values.csv and agreement_diagonal.csv say of a few.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specflow import paths
from specflow.hdf5 import open_file
from specflow.layouts import SPECTRA
from specflow.params.resolve import CollectParams
from specflow.tables.runs import Row, by_depth
from specflow.tables.writing import write_table

TOP = 10  # directions whose agreement is compared with that of as many next ones
_ZERO = 1e-6  # over s_1: what the decomposition may be off by, so less is no singular value


def write_growth_tables(folder: Path, params: CollectParams) -> None:
    """Write growth.csv and settling.csv.

    growth.csv has, of every run and matrix, top_growth = s_1(T) / s_1(0) and median_growth =
    median_i s_i(T) / s_i(0), T the end of training; singular values that are 0 at step 0 are left
    out, and of an all-zero matrix nothing is defined.

    settling.csv has the mean agreement with the final checkpoint of directions 1 to 10 and of 11 to
    20, at the last kept step of the first half of training. Matrices with fewer than 20
    directions, or with fewer than 20 kept (`diagonal_length`), have no row.

    Args:
        folder: Where to.
        params: Experiments and seeds.
    """
    runs = [(name, seed) for name, entry in params.experiments.items() for seed in entry.seeds]
    for name, columns, rows_of in (
        ("growth", ("matrix", "top_growth", "median_growth"), _growth),
        ("settling", ("matrix", "step", "top_score", "next_score"), _settling),
    ):
        rows = ((*run, *row) for run in runs for row in rows_of(*run))
        write_table(folder / f"{name}.csv", ("experiment", "seed", *columns), rows)


def _growth(experiment: str, seed: int) -> Iterator[Row]:
    with open_file(paths.spectra(experiment, seed), SPECTRA) as file:
        for matrix in by_depth(file["matrices"]):
            values = file["matrices"][matrix]["singular_values"]
            yield (matrix, *growth_factors(values[0], values[-1]))


def growth_factors(start: NDArray[np.float64], end: NDArray[np.float64]) -> tuple[float, float]:
    """Return by what the top singular value grew, and the median of what each grew by.

    Args:
        start: Singular values at step 0, shape (R,), descending.
        end: Those at the end of training, shape (R,), descending.

    Returns:
        s_1(T) / s_1(0), and the median over i of s_i(T) / s_i(0), where s_i(0) is not 0; both NaN
        if all are.
    """
    if not start[0] > 0:
        return np.nan, np.nan
    there = start > _ZERO * start[0]
    factors = end[there] / start[there]
    return float(factors[0]), float(np.median(factors))


def _settling(experiment: str, seed: int) -> Iterator[Row]:
    with open_file(paths.spectra(experiment, seed), SPECTRA) as file:
        steps = file["step"][:]
        half = int(np.flatnonzero(steps <= steps[-1] / 2)[-1])
        for matrix in by_depth(file["matrices"]):
            agreement = file["matrices"][matrix]["agreement"]
            if agreement.shape[1] >= 2 * TOP:
                top, following = agreement[half][: 2 * TOP].reshape(2, TOP).mean(axis=1)
                yield (matrix, int(steps[half]), float(top), float(following))
