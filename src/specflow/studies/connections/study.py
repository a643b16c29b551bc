"""Sections of connections, and their tables: curves along paths, barriers, agreement of ends."""

from collections.abc import Callable, Iterator, Mapping, Sequence
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
from specflow.studies.study import Known, Shown, Study
from specflow.studies.tables import KEEPS, Spread, curves_in, metrics, over, read

_PATH = ("connection", "relation", "trunks", "split_step", "scale", "branches")
_CURVE = ("split", "keep", "keep_fraction", "metric")

_GROUPS = {  # of paths, by the relation of their endpoints
    "within": "split_{split_step}",
    "across": "across_split_{split_step}",
    "perturbed": "perturbed_{scale:g}",
}

Row = tuple[Any, ...]
_RowsOf = Callable[[PathGroup, list[float], h5py.Group], Iterator[Row]]


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
        if self.experiment in known.experiments and known.seeds:
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
        if missing := sorted(set(self.trunk_seeds) - set(known.seeds)):
            expected = f"expected some of seeds = {list(known.seeds)}"
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
        experiments = [(name, own.experiment) for name, own in entries.items()]
        found = {"connections": pd.DataFrame(experiments, columns=["connection", "experiment"])}
        for table, (columns, rows_of) in _TABLES.items():
            rows = [row for name, own in entries.items() for row in _each_path(name, own, rows_of)]
            found[table] = pd.DataFrame(rows, columns=[*_PATH, *columns])
        return found

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


def _each_path(name: str, connection: CollectedConnection, rows_of: _RowsOf) -> Iterator[Row]:
    """Yield the rows of every path of a connection, with the cells that say which path it is."""
    for group in path_groups_of(connection, connection.across_trunks):
        about = (name, group.relation, *group.split_point)
        with open_file(paths.connection(name, *group.split_point), CONNECTION) as file:
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
                yield alpha, split, keep, float(fraction), metric, value


def _barriers(group: PathGroup, alphas: list[float], path: h5py.Group) -> Iterator[Row]:
    for keep, fraction, split, metric in curves_in(path["curves"], KEEPS):
        barrier = path["curves"][keep][fraction][split][metric].attrs["barrier"]
        yield split, keep, float(fraction), metric, float(barrier)


def _agreement(group: PathGroup, alphas: list[float], path: h5py.Group) -> Iterator[Row]:
    for matrix, data in path["agreement"].items():
        yield matrix, float(data.attrs["score"])


def _mean_ranks(group: PathGroup, alphas: list[float], path: h5py.Group) -> Iterator[Row]:
    ranks = np.mean([read(path["ranks"], matrix) for matrix in path["ranks"]], axis=0)
    yield from zip(alphas, ranks.tolist(), strict=True)


_TABLES: dict[str, tuple[tuple[str, ...], _RowsOf]] = {
    "interpolation": (("alpha", *_CURVE, "value"), _interpolation),
    "barriers": ((*_CURVE, "barrier"), _barriers),
    "endpoint_agreement": (("matrix", "agreement_score"), _agreement),
    "interpolation_ranks": (("alpha", "normalized_effective_rank"), _mean_ranks),
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
