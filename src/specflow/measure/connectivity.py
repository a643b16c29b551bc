"""Mode connectivity: the interpolation paths between endpoints of branches.

Layout of the file (version 2), N points, for every path, named by its branches:
    /alpha (N,)
    /<branches>/curves/<keep>/<keep_fraction>/<split>/<metric> (N,), attribute barrier (NaN if a
        point is not finite)
    /<branches>/agreement/<matrix> (k,): of the two endpoints, attributes score and null_level
Agreement of an all-zero matrix is not defined: NaN. What is no direction agrees with nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import h5py
import numpy as np
from torch import Tensor

from specflow.executor import Report
from specflow.hdf5 import create, write
from specflow.interventions.interpolation import interpolate, loss_barrier
from specflow.measure.decompositions import directions
from specflow.measure.evaluation import (
    FULL,
    Evaluation,
    Pruned,
    pruning_variants,
)
from specflow.measure.layouts import CONNECTION
from specflow.measure.settings import PruningParams, SpectraParams
from specflow.problems.settings import ProblemSettings
from specflow.scratch import Scratch, Work
from specflow.spectra import (
    Decomposition,
    agreement_null_level,
    decompose,
    diagonal_score,
    singular_vector_agreement,
    where_defined,
)

# Metrics by variant and `split/metric` of one network.
Point = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class ConnectionJob:
    """Paths that are measured together."""

    problem: ProblemSettings
    num_points: int  # of each path, both endpoints included
    pruning: PruningParams  # of each point
    spectra: SpectraParams  # what is stored of the agreement of endpoints
    endpoints: Mapping[str, tuple[Path, Path]]  # trajectories at both ends of every path
    target: Path
    work: Work

    @property
    def total_points(self) -> int:
        """Number of points of all paths."""
        return self.num_points * len(self.endpoints)


def measure_connection(job: ConnectionJob, report: Report) -> None:
    """Walk along every path and evaluate each point, an endpoint once for all its paths.

    Raises:
        SpecflowError: If a branch or the data are broken, or the result cannot be written.
    """
    scratch = job.work.scratch()
    scratch.make(job.target, partial(_measure, job, scratch, report))


def _measure(job: ConnectionJob, scratch: Scratch, report: Report) -> None:
    measurement = _Measurement(job, scratch)
    alphas = np.linspace(0.0, 1.0, job.num_points)
    with create(job.target, CONNECTION, {}) as file:
        write(file, "alpha", alphas)
        for name, start, end in measurement.paths():
            group = file.create_group(name)
            _write_agreement(group, start, end, job.spectra)
            _write_points(group, alphas, measurement.walk(name, start, end, alphas, report))


@dataclass(frozen=True)
class _Endpoint:
    weights: Mapping[str, Tensor]
    decompositions: Mapping[str, Decomposition]
    point: Point


class _Measurement:
    def __init__(self, job: ConnectionJob, scratch: Scratch) -> None:
        self._job, self._scratch = job, scratch
        self._evaluation = Evaluation(job.problem, job.pruning)
        self._wiring = self._evaluation.model.wiring
        self._views = {matrix.name: matrix.view for matrix in self._wiring.matrices}
        self._variants = (FULL, *pruning_variants(job.pruning))
        ends = {path for pair in job.endpoints.values() for path in pair}
        assert len({path.stem for path in ends}) == len(ends), ends  # what is kept is named so

    def paths(self) -> Iterator[tuple[str, _Endpoint, _Endpoint]]:
        """Yield every path with its endpoints; memory holds those that further paths need."""
        held: dict[Path, _Endpoint] = {}
        names = sorted(self._job.endpoints)
        for place, name in enumerate(names):
            start, end = self._job.endpoints[name]
            for path in (start, end):
                if path not in held:
                    held[path] = self._endpoint(path)
            yield name, held[start], held[end]
            needed = {path for later in names[place + 1 :] for path in self._job.endpoints[later]}
            held = {path: endpoint for path, endpoint in held.items() if path in needed}

    def walk(
        self, name: str, start: _Endpoint, end: _Endpoint, alphas: np.ndarray, report: Report
    ) -> Iterator[Point]:
        """Yield every point of a path; memory holds one beside the endpoints."""
        for index, alpha in enumerate(alphas.tolist()):
            if alpha in (0.0, 1.0):
                yield (end if alpha else start).point
            else:
                between = partial(self._between, start.weights, end.weights, alpha)
                yield self._scratch.remember(f"path{name}_point{index}", between)
            report(1)

    def _endpoint(self, path: Path) -> _Endpoint:
        weights = self._evaluation.final_weights(path)
        pruned = Pruned(weights, self._wiring)
        sides, count = pruned.sides, self._job.spectra.diagonal_length
        decompositions = {
            name: decompose(view.of(weights[view.tensor]), count=count, side=sides.get(name))
            for name, view in self._views.items()
        }
        measure = partial(self._evaluation.metrics_of, pruned, self._variants)
        point = self._scratch.remember(f"endpoint_{path.stem}", measure)
        return _Endpoint(weights, decompositions, point)

    def _between(
        self, start: Mapping[str, Tensor], end: Mapping[str, Tensor], alpha: float
    ) -> Point:
        pruned = Pruned(interpolate(start, end, alpha), self._wiring)
        return self._evaluation.metrics_of(pruned, self._variants)


def _write_agreement(
    group: h5py.Group, start: _Endpoint, end: _Endpoint, settings: SpectraParams
) -> None:
    for name in sorted(start.decompositions):
        a, b = (directions(one.decompositions[name]) for one in (start, end))
        agreement = where_defined(singular_vector_agreement(a, b), a.S, b.S)
        write(group, f"agreement/{name}", agreement.diagonal().cpu().numpy())
        about = group[f"agreement/{name}"].attrs
        about["score"] = float(diagonal_score(agreement, settings.score_length))
        about["null_level"] = float(agreement_null_level(len(a.U), a.Vh.shape[1]))


def _write_points(group: h5py.Group, alphas: np.ndarray, points: Iterable[Point]) -> None:
    """Write the metrics of every point of a path, and the barriers."""
    curves: dict[str, list[float]] = defaultdict(list)
    for point in points:
        for variant, metrics in point.items():
            for name, value in metrics.items():
                curves[f"curves/{variant}/{name}"].append(value)
    for name, values in sorted(curves.items()):
        write(group, name, values)
        finite = bool(np.isfinite(values).all())
        group[name].attrs["barrier"] = loss_barrier(alphas.tolist(), values) if finite else np.nan
