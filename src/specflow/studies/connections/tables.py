"""Tables of connections: curves along paths, barriers, agreement of endpoints."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import h5py
import numpy as np
import pandas as pd

from specflow import paths
from specflow.frames import Frames, where
from specflow.hdf5 import open_file
from specflow.measure.layouts import CONNECTION
from specflow.studies.connections.branches import PathGroup, path_groups_of
from specflow.studies.connections.collected import Collected
from specflow.studies.measures import KEEPS, curves_in, read
from specflow.studies.summary import Spread, metrics, over

_PATH = ("connection", "relation", "trunks", "split_step", "scale", "branches")
_CURVE = ("split", "keep", "keep_fraction", "metric")

_GROUPS = {  # of paths, by the relation of their endpoints
    "within": "split_{split_step}",
    "across": "across_split_{split_step}",
    "perturbed": "perturbed_{scale:g}",
}

Row = tuple[Any, ...]
_RowsOf = Callable[[PathGroup, list[float], h5py.Group], Iterator[Row]]


def tables(entries: Mapping[str, Collected]) -> dict[str, pd.DataFrame]:
    """Return every table of connections by name.

    What git tracks is thinned: interpolation has validation data alone, and pruned networks on
    paths within a trunk alone, where barriers has all.

    Args:
        entries: Connections by name, in the order of the rows.

    Raises:
        BrokenFileError: If a file of measures is missing or broken.
    """
    found = {}
    for table, (columns, rows_of) in _TABLES.items():
        rows = [row for name, own in entries.items() for row in _each_path(name, own, rows_of)]
        found[table] = pd.DataFrame(rows, columns=[*_PATH, *columns])
    experiments = [(name, own.experiment) for name, own in entries.items()]
    return {
        "connections": pd.DataFrame(experiments, columns=["connection", "experiment"]),
        **found,
    }


def summary(tables: Frames, names: Sequence[str]) -> dict[str, Any]:
    """Return what the metrics file says of each connection, over paths, from the tables alone."""
    return {
        name: _summary(
            where(tables["barriers"], connection=name, keep="full"),
            where(tables["endpoint_agreement"], connection=name),
        )
        for name in names
    }


def _summary(barriers: pd.DataFrame, agreement: pd.DataFrame) -> dict[str, dict[str, Spread]]:
    columns, unit, found = ["relation", "split_step", "scale"], ["trunks", "branches"], {}
    for key, rows in barriers.groupby(columns, sort=False):
        group = dict(zip(columns, key, strict=True))
        found[_GROUPS[group["relation"]].format(**group)] = {
            **metrics(rows, unit, "barrier", "_barrier"),
            "agreement_score": over(where(agreement, **group), "agreement_score", unit),
        }
    return found


def _each_path(name: str, connection: Collected, rows_of: _RowsOf) -> Iterator[Row]:
    """Yield the rows of every path of a connection, with the cells that say which path it is."""
    for group in path_groups_of(connection, connection.across_trunks):
        about = (name, group.relation, group.trunks, group.split_step, group.scale)
        place = paths.connection(name, group.trunks, group.split_step, group.scale)
        with open_file(place, CONNECTION) as file:
            alphas = read(file, "alpha").tolist()
            for branches in group.endpoints:
                for row in rows_of(group, alphas, file[branches]):
                    yield (*about, branches, *row)


def _interpolation(group: PathGroup, alphas: list[float], path: h5py.Group) -> Iterator[Row]:
    keeps = KEEPS if group.relation == "within" else KEEPS[:1]
    for keep, fraction, split, metric in curves_in(path["curves"], keeps):
        if split == "validation":
            values = read(path["curves"], f"{keep}/{fraction}/{split}/{metric}").tolist()
            for alpha, value in zip(alphas, values, strict=True):
                yield (alpha, split, keep, float(fraction), metric, value)


def _barriers(group: PathGroup, alphas: list[float], path: h5py.Group) -> Iterator[Row]:
    for keep, fraction, split, metric in curves_in(path["curves"], KEEPS):
        barrier = path["curves"][keep][fraction][split][metric].attrs["barrier"]
        yield (split, keep, float(fraction), metric, float(barrier))


def _agreement(group: PathGroup, alphas: list[float], path: h5py.Group) -> Iterator[Row]:
    for matrix, data in path["agreement"].items():
        yield (matrix, float(data.attrs["score"]))


def _mean_ranks(group: PathGroup, alphas: list[float], path: h5py.Group) -> Iterator[Row]:
    ranks = np.mean([read(path["ranks"], matrix) for matrix in path["ranks"]], axis=0)
    yield from zip(alphas, ranks.tolist(), strict=True)


_TABLES: dict[str, tuple[tuple[str, ...], _RowsOf]] = {
    "interpolation": (("alpha", *_CURVE, "value"), _interpolation),
    "barriers": ((*_CURVE, "barrier"), _barriers),
    "endpoint_agreement": (("matrix", "agreement_score"), _agreement),
    "interpolation_ranks": (("alpha", "normalized_effective_rank"), _mean_ranks),
}
