"""Rows of the tables about connections: curves along lines, barriers, agreement of branch ends."""

from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import h5py

from specflow import paths
from specflow.hdf5 import open_file
from specflow.layouts import CONNECTION
from specflow.params.resolve import BranchParams, CollectParams
from specflow.tables.runs import KEEPS, Row, curves_in
from specflow.tables.writing import write_table
from specflow.trajectory import open_trajectory

_SPLIT = ("connection", "trunk_seed", "split_step", "split_epoch", "branches")
_CURVE = ("split", "keep", "keep_fraction", "metric")


def write_connection_tables(folder: Path, params: CollectParams) -> None:
    """Write every table about connections.

    Args:
        folder: Where to.
        params: The connections and their branches.
    """
    entries = params.connections.values()
    for name, columns, rows_of in (
        ("interpolation", ("alpha", *_CURVE, "value"), _interpolation),
        ("barriers", (*_CURVE, "barrier"), _barriers),
        ("end_agreement", ("matrix", "agreement_score"), _agreement),
        ("interpolation_ranks", ("alpha", "matrix", "normalized_effective_rank"), _ranks),
    ):
        rows = (row for entry in entries for row in _each_line(entry, rows_of))
        write_table(folder / f"{name}.csv", (*_SPLIT, *columns), rows)
    experiments = ((entry.connection, entry.experiment) for entry in entries)
    write_table(folder / "connections.csv", ("connection", "experiment"), experiments)


def _each_line(
    entry: BranchParams, rows_of: Callable[[list[float], h5py.Group], Iterator[Row]]
) -> Iterator[Row]:
    """Yield the rows of every line of a connection, with the columns that say which line it is."""
    for seed, step in product(entry.trunk_seeds, entry.split_steps):
        with open_trajectory(paths.trajectory(entry.experiment, seed)) as trunk:
            epoch = trunk.epochs[trunk.index_of(step)]
        with open_file(paths.connection(entry.connection, seed, step), CONNECTION) as file:
            alphas = file["alpha"][:].tolist()
            for branches in (name for name in file if name != "alpha"):
                for row in rows_of(alphas, file[branches]):
                    yield (entry.connection, seed, step, epoch, branches, *row)


def _interpolation(alphas: list[float], line: h5py.Group) -> Iterator[Row]:
    for keep, fraction, split, metric in curves_in(line["curves"], KEEPS):
        values = line["curves"][keep][fraction][split][metric][:].tolist()
        for alpha, value in zip(alphas, values, strict=True):
            yield (alpha, split, keep, float(fraction), metric, value)


def _barriers(alphas: list[float], line: h5py.Group) -> Iterator[Row]:
    for keep, fraction, split, metric in curves_in(line["curves"], KEEPS):
        barrier = line["curves"][keep][fraction][split][metric].attrs["barrier"]
        yield (split, keep, float(fraction), metric, float(barrier))


def _agreement(alphas: list[float], line: h5py.Group) -> Iterator[Row]:
    for matrix, data in line["agreement"].items():
        yield (matrix, float(data.attrs["score"]))


def _ranks(alphas: list[float], line: h5py.Group) -> Iterator[Row]:
    for matrix, data in line["ranks"].items():
        for alpha, rank in zip(alphas, data[:].tolist(), strict=True):
            yield (alpha, matrix, rank)
