"""Rows of the tables about connections: curves along lines, barriers, agreement of branch ends."""

from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np

from specflow import paths
from specflow.hdf5 import open_file
from specflow.layouts import CONNECTION
from specflow.lines import line_groups_of
from specflow.params.resolve import CollectedConnection, CollectParams
from specflow.tables.runs import KEEPS, Row, curves_in
from specflow.tables.writing import write_table
from specflow.trajectory import open_trajectory

_LINE = ("connection", "relation", "trunks", "split_step", "split_epoch", "scale", "branches")
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
        ("interpolation_ranks", ("alpha", "normalized_effective_rank"), _mean_ranks),
    ):
        rows = (row for entry in entries for row in _each_line(entry, rows_of))
        write_table(folder / f"{name}.csv", (*_LINE, *columns), rows)
    experiments = ((entry.connection, entry.experiment) for entry in entries)
    write_table(folder / "connections.csv", ("connection", "experiment"), experiments)


def _each_line(
    entry: CollectedConnection, rows_of: Callable[[list[float], h5py.Group], Iterator[Row]]
) -> Iterator[Row]:
    """Yield the rows of every line of a connection, with the columns that say which line it is."""
    for group in line_groups_of(entry, entry.across_trunks):
        step = group.split_step
        with open_trajectory(paths.trajectory(entry.experiment, group.trunk_seeds[0])) as trunk:
            epoch = trunk.epochs[trunk.index_of(step)]
        place = paths.connection(entry.connection, group.trunks, step, group.scale)
        line = (entry.connection, group.relation, group.trunks, step, epoch, group.scale)
        with open_file(place, CONNECTION) as file:
            alphas = file["alpha"][:].tolist()
            for branches in group.lines:
                for row in rows_of(alphas, file[branches]):
                    yield (*line, branches, *row)


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


def _mean_ranks(alphas: list[float], line: h5py.Group) -> Iterator[Row]:
    ranks = np.mean([data[:] for data in line["ranks"].values()], axis=0)
    yield from zip(alphas, ranks.tolist(), strict=True)
