"""Sections of connections, and their tables: curves along paths, barriers, agreement of ends."""

from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Annotated, Any

import h5py
import numpy as np
import pandas as pd
from pydantic import Field

from specflow import paths
from specflow.frames import Frames, where
from specflow.hdf5 import open_file
from specflow.measure.layouts import CONNECTION
from specflow.section import Name, Section
from specflow.studies.connections.settings import (
    Branches,
    BranchSettings,
    ConnectSettings,
    PathGroup,
    path_groups_of,
)
from specflow.studies.spectra import FULL, shown_indices
from specflow.studies.study import Known, Names, Shown, Study
from specflow.studies.tables import KEEPS, Row, Spread, curves_in, metrics, over, read, tables_of

_PATH = ("connection", "relation", "trunks", "split_step", "scale", "branches")
_POINT = ("relation", "split_step", "scale")
_CURVE = ("split", "keep", "keep_fraction", "metric")
_COLUMNS = {
    "connections": ("connection", "experiment"),
    "interpolation": (
        *("connection", "trunks", "split_step", "branches", "alpha"),
        *("keep", "keep_fraction", "metric", "value"),
    ),
    "barriers": (*_PATH, *_CURVE, "barrier"),
    "endpoint_agreement": (*_PATH, "matrix", "agreement_score"),
    "endpoint_diagonal": ("connection", *_POINT, "matrix", "index", "mean"),
}

_GROUPS = {  # of paths, by the relation of their endpoints
    "within": "split_{split_step}",
    "across": "across_split_{split_step}",
    "perturbed": "perturbed_{scale:g}",
}


class CollectedConnection(Branches):
    """What is collected of a connection: all paths between its branches.

    Attributes:
        experiment: The experiment whose runs are the trunks.
        across_trunks: Whether there are paths across trunks.
        matrices: Matrices of which the diagonal of agreement goes into tables.
        metrics: Metrics whose curves and barriers do.
    """

    experiment: Name
    across_trunks: bool
    matrices: Names
    metrics: Names


class ConnectionParams(Study, Branches):
    """Branches from checkpoints of an experiment, and the interpolation between their endpoints.

    Attributes:
        experiment: The experiment whose runs are the trunks.
        num_points: Points on the path between two endpoints, both included.
        across_trunks: Whether there are paths between the branches of one number of every two
            trunks as well.
    """

    collects = CollectedConnection

    experiment: Name
    num_points: Annotated[int, Field(ge=3, le=10_000)]
    across_trunks: bool

    def settings(self, name: str, known: Known) -> Mapping[str, Section]:
        """Return the settings of branch and connect."""
        experiment = known.experiments[self.experiment]
        return {
            "branch": BranchSettings(
                **self._shared(BranchSettings),
                run=experiment.run(self.experiment, known),
                batch_norm_samples=experiment.pruning.batch_norm_samples,
            ),
            "connect": ConnectSettings(
                **self._shared(ConnectSettings),
                run=experiment.problem_settings(known),
                pruning=experiment.pruning,
                spectra=experiment.spectra,
            ),
        }

    def collected(self, name: str, known: Known, shown: Shown) -> Section:
        """Return what the tables of the connection are made of."""
        experiment = known.experiments[self.experiment]
        wiring = experiment.wiring(known.datasets[experiment.dataset])
        return CollectedConnection(
            **self._shared(CollectedConnection),
            matrices=shown.of(self.experiment, wiring)["matrix"].full,
            metrics=tuple(experiment.problem.metrics),
        )

    def problems(self, known: Known) -> list[str]:
        """Return what does not fit in itself, or with the experiment."""
        problems = self._path_problems()
        problems += known.unknown("experiment", self.experiment, "experiments")
        if self.experiment in known.experiments:
            problems += self._trunk_problems(known)
        return problems

    def _path_problems(self) -> list[str]:
        problems, seeds, steps = [], self.trunk_seeds, self.split_steps
        if self.across_trunks and len(seeds) < 2:
            problems.append(
                f"across_trunks: got true with trunk_seeds = {list(seeds)}; "
                "expected false, or two trunk_seeds or more"
            )
        perturbed = self.perturbation
        if perturbed is not None and perturbed.split_step not in steps:
            problems.append(
                f"perturbation.split_step: got {perturbed.split_step}; "
                f"expected one of split_steps = {list(steps)}, whose branches are scale 0"
            )
        return problems

    def _trunk_problems(self, known: Known) -> list[str]:
        experiment, problems = known.experiments[self.experiment], []
        if missing := sorted(set(self.trunk_seeds) - set(experiment.seeds)):
            expected = f"expected some of {known.seeds(self.experiment)}"
            problems.append(f"trunk_seeds: got {missing}; {expected}")
        if missing := sorted(set(self.split_steps) - set(experiment.checkpoints.split_steps)):
            expected = f"expected some of {known.split_steps(self.experiment)}"
            problems.append(f"split_steps: got {missing}; {expected}")
        if experiment.batch_size == "full":
            problems.append(
                f"experiment: {self.experiment} trains on full batches, where the order of "
                "data makes no difference between branches; expected a batch_size"
            )
        return problems

    @staticmethod
    def tables(entries: Mapping[str, CollectedConnection]) -> dict[str, pd.DataFrame]:
        """Return every table of connections.

        What git tracks is thinned: what has points of a path is of validation data and of paths
        within a trunk alone, where barriers has all; diagonals are means over paths.
        """
        rows = (row for name, own in entries.items() for row in _rows(name, own))
        return tables_of(_COLUMNS, rows)

    @staticmethod
    def summary(tables: Frames, names: Sequence[str]) -> dict[str, Any]:
        """Return what the metrics file says of each connection, over paths."""
        return {
            name: _summary(
                where(tables["barriers"], connection=name, keep="full"),
                where(tables["endpoint_agreement"], connection=name),
            )
            for name in names
        }


def _rows(name: str, connection: CollectedConnection) -> Iterator[tuple[str, Row]]:
    yield "connections", (name, connection.experiment)
    diagonals = defaultdict[Row, list[np.ndarray]](list)
    for group, branches, path in _paths(name, connection):
        trunks, step, scale = group.split_point
        for table, *row in _of_path(path, connection.metrics):
            yield table, (name, group.relation, trunks, step, scale, branches, *row)
        if group.relation == "within":
            for table, *row in _of_points(path, connection.metrics):
                yield table, (name, trunks, step, branches, *row)
        for matrix in connection.matrices:
            point = (group.relation, step, scale, matrix)
            diagonals[point].append(read(path, f"agreement/{matrix}"))
    for point, found in diagonals.items():
        means = np.mean(found, axis=0)
        for index in shown_indices(len(means), FULL).tolist():
            yield "endpoint_diagonal", (name, *point, index, float(means[index - 1]))


def _paths(
    name: str, connection: CollectedConnection
) -> Iterator[tuple[PathGroup, str, h5py.Group]]:
    """Yield every path with its group, and the branches at its ends."""
    for group in path_groups_of(connection, connection.across_trunks):
        with open_file(paths.connection(name, *group.split_point), CONNECTION) as file:
            for branches in group.endpoints:
                yield group, branches, file[branches]


def _of_path(path: h5py.Group, metrics: Container[str]) -> Iterator[Row]:
    for name, *about in _curves(path, metrics):
        yield "barriers", *about, float(path[name].attrs["barrier"])
    for matrix, data in path["agreement"].items():
        yield "endpoint_agreement", matrix, float(data.attrs["score"])


def _of_points(path: h5py.Group, metrics: Container[str]) -> Iterator[Row]:
    alphas = read(path.file, "alpha").tolist()
    for name, split, *about in _curves(path, metrics):
        if split == "validation":
            for alpha, value in zip(alphas, read(path, name).tolist(), strict=True):
                yield "interpolation", alpha, *about, value


def _curves(path: h5py.Group, metrics: Container[str]) -> Iterator[Row]:
    """Yield name, split, keep, keep_fraction and metric of every curve of some metrics."""
    for keep, fraction, split, metric in curves_in(path["curves"], KEEPS):
        if metric in metrics:
            yield f"curves/{keep}/{fraction}/{split}/{metric}", split, keep, float(fraction), metric


def _summary(barriers: pd.DataFrame, agreement: pd.DataFrame) -> dict[str, dict[str, Spread]]:
    columns, unit, found = list(_POINT), ["trunks", "branches"], {}
    for key, rows in barriers.groupby(columns, sort=False):
        group = dict(zip(columns, key, strict=True))
        found[_GROUPS[group["relation"]].format(**group)] = {
            **metrics(rows, unit, "barrier", "_barrier"),
            "agreement_score": over(where(agreement, **group), "agreement_score", unit),
        }
    return found
