"""Sections of connections, and their tables: curves along paths, barriers, agreement of ends."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import h5py
import numpy as np
import pandas as pd
from pydantic import Field

from specflow import paths
from specflow.frames import RANK, Frames, where
from specflow.hdf5 import open_file
from specflow.measure.layouts import CONNECTION
from specflow.section import Name, Section
from specflow.studies.connections.settings import (
    Branches,
    BranchSettings,
    ConnectSettings,
    path_groups_of,
)
from specflow.studies.study import Known, Shown, Study
from specflow.studies.tables import KEEPS, Row, Spread, curves_in, metrics, over, read, tables_of

_PATH = ("connection", "relation", "trunks", "split_step", "scale", "branches")
_CURVE = ("split", "keep", "keep_fraction", "metric")
_COLUMNS = {
    "connections": ("connection", "experiment"),
    "interpolation": (*_PATH, "alpha", *_CURVE, "value"),
    "barriers": (*_PATH, *_CURVE, "barrier"),
    "endpoint_agreement": (*_PATH, "matrix", "agreement_score"),
    "interpolation_ranks": (*_PATH, "alpha", RANK),
}

_GROUPS = {  # of paths, by the relation of their endpoints
    "within": "split_{split_step}",
    "across": "across_split_{split_step}",
    "perturbed": "perturbed_{scale:g}",
}


class CollectedConnection(Branches):
    """What is collected of a connection: all paths between its branches."""

    experiment: Name
    across_trunks: bool


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
    num_points: Annotated[int, Field(ge=3)]
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
        return CollectedConnection(**self._shared(CollectedConnection))

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

        What git tracks is thinned: interpolation has validation data alone, and pruned networks on
        paths within a trunk alone, where barriers has all.
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
    for group in path_groups_of(connection, connection.across_trunks):
        about = (name, group.relation, *group.split_point)
        with open_file(paths.connection(name, *group.split_point), CONNECTION) as file:
            alphas = read(file, "alpha").tolist()
            for branches in group.endpoints:
                for table, *row in _of_path(file[branches], alphas, group.relation):
                    yield table, (*about, branches, *row)


def _of_path(path: h5py.Group, alphas: list[float], relation: str) -> Iterator[Row]:
    curves, ranks = path["curves"], path["ranks"]
    for keep, fraction, split, metric in curves_in(curves, KEEPS):
        name, about = f"{keep}/{fraction}/{split}/{metric}", (split, keep, float(fraction), metric)
        yield "barriers", *about, float(curves[name].attrs["barrier"])
        if split == "validation" and (keep == "full" or relation == "within"):
            for alpha, value in zip(alphas, read(curves, name).tolist(), strict=True):
                yield "interpolation", alpha, *about, value
    for matrix, data in path["agreement"].items():
        yield "endpoint_agreement", matrix, float(data.attrs["score"])
    means = np.mean([read(ranks, matrix) for matrix in ranks], axis=0).tolist()
    for alpha, mean in zip(alphas, means, strict=True):
        yield "interpolation_ranks", alpha, mean


def _summary(barriers: pd.DataFrame, agreement: pd.DataFrame) -> dict[str, dict[str, Spread]]:
    columns, unit, found = ["relation", "split_step", "scale"], ["trunks", "branches"], {}
    for key, rows in barriers.groupby(columns, sort=False):
        group = dict(zip(columns, key, strict=True))
        found[_GROUPS[group["relation"]].format(**group)] = {
            **metrics(rows, unit, "barrier", "_barrier"),
            "agreement_score": over(where(agreement, **group), "agreement_score", unit),
        }
    return found
