"""Mode connectivity: lines between branch ends.

Layout of the file (version 1), N points, for every line, named by its branches:
    /alpha (N,)
    /<branches>/curves/<keep>/<keep_fraction>/<split>/<metric> (N,), attribute barrier (NaN if a
        point is not finite)
    /<branches>/ranks/<parameter> (N,): normalized effective rank along the line
    /<branches>/agreement/<parameter> (k,): of the two ends, attributes score and null_level
Ranks and agreement of an all-zero matrix are not defined: NaN.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import Tensor

from specflow.device import choose_device, make_deterministic
from specflow.executor import Report
from specflow.hdf5 import create, write, write_row
from specflow.interventions.interpolation import interpolate, loss_barrier
from specflow.layouts import CONNECTION
from specflow.measure.evaluation import (
    Pruned,
    Variant,
    evaluate_changed,
    final_weights,
    pruning_variants,
    variant_group,
)
from specflow.measure.views import matrix_of
from specflow.params.resolve import ConnectParams
from specflow.params.tasks import RunParams, SpectraParams
from specflow.spectra import (
    Decomposition,
    agreement_null_level,
    decompose,
    diagonal_score,
    normalized_effective_rank,
    singular_values,
    singular_vector_agreement,
)
from specflow.tasks import load_task

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class ConnectionJob:
    """Lines that are measured together.

    Attributes:
        run: The resolved config of the trunks.
        params: What is measured.
        lines: The branches at the two ends of every line, by the line's name.
        target: The result's place.
    """

    run: RunParams
    params: ConnectParams
    lines: dict[str, tuple[Path, Path]]
    target: Path

    @property
    def num_points(self) -> int:
        """Number of points of all lines."""
        return self.params.num_points * len(self.lines)


def measure_connection(job: ConnectionJob, report: Report) -> None:
    """Walk along every line and evaluate each point; an end is measured once for all its lines.

    Args:
        job: The lines.
        report: Called with 1 after each point.

    Raises:
        SpecflowError: If a branch or the data are broken, or the result cannot be written.
    """
    device = choose_device()
    make_deterministic(device)
    measurement = _Measurement(job, device)
    alphas = np.linspace(0.0, 1.0, job.params.num_points)
    with create(job.target, CONNECTION, {}) as file:
        write(file, "alpha", alphas)
        for name, start, end in measurement.lines():
            group = file.create_group(name)
            _write_agreement(group, start, end, job.params.spectra)
            _write_line(group, alphas, measurement.walk(start, end, alphas, report))


@dataclass(frozen=True)
class _Point:
    """Metrics by variant and `split/metric`, and ranks by parameter, of one network."""

    metrics: Mapping[str, float]
    ranks: Mapping[str, float]


@dataclass(frozen=True)
class _End:
    weights: Weights
    factors: Mapping[str, Decomposition]
    point: _Point


class _Measurement:
    def __init__(self, job: ConnectionJob, device: torch.device) -> None:
        self._job = job
        self._task = load_task(job.run, device)
        self._model = self._task.build_model()
        matrices = self._model.wiring.matrices
        self._views = {matrix.view.parameter: matrix.view for matrix in matrices}
        self._variants: list[Variant] = [
            ("full", 1.0),
            *pruning_variants(job.params.interventions),
        ]

    def lines(self) -> Iterator[tuple[str, _End, _End]]:
        """Yield every line with its ends; memory holds those that further lines need."""
        ends: dict[Path, _End] = {}
        names = sorted(self._job.lines)
        for place, name in enumerate(names):
            start, end = self._job.lines[name]
            for path in (start, end):
                if path not in ends:
                    ends[path] = self._end(path)
            yield name, ends[start], ends[end]
            needed = {path for later in names[place + 1 :] for path in self._job.lines[later]}
            ends = {path: kept for path, kept in ends.items() if path in needed}

    def walk(self, start: _End, end: _End, alphas: np.ndarray, report: Report) -> Iterator[_Point]:
        """Yield every point of a line; memory holds one beside the ends."""
        for alpha in alphas.tolist():
            if alpha in (0.0, 1.0):
                yield (end if alpha else start).point
            else:
                yield self._between(interpolate(start.weights, end.weights, alpha))
            report(1)

    def _end(self, path: Path) -> _End:
        weights = final_weights(path, self._task)
        pruned = Pruned(weights, self._model.wiring)
        sides, count = pruned.sides, self._job.params.spectra.diagonal_length
        factors = {
            name: decompose(matrix_of(view, weights), count, sides.get(name))
            for name, view in self._views.items()
        }
        ranks = {name: _rank(factor.S) for name, factor in factors.items()}
        return _End(weights, factors, _Point(self._metrics(pruned), ranks))

    def _between(self, weights: Weights) -> _Point:
        pruned = Pruned(weights, self._model.wiring)
        sides = pruned.sides
        ranks = {
            name: _rank(singular_values(matrix_of(view, weights), sides.get(name)))
            for name, view in self._views.items()
        }
        return _Point(self._metrics(pruned), ranks)

    def _metrics(self, pruned: Pruned) -> dict[str, float]:
        params = self._job.params.interventions
        return {
            f"{variant_group(variant)}/{metric}": value
            for variant in self._variants
            for metric, value in evaluate_changed(
                self._task, self._model, pruned.weights(variant), params
            ).items()
        }


def _rank(S: Tensor) -> float:
    return float(normalized_effective_rank(S)) if S[0] > 0 else np.nan


def _write_agreement(group: h5py.Group, start: _End, end: _End, params: SpectraParams) -> None:
    for name in sorted(start.factors):
        a, b = start.factors[name], end.factors[name]
        agreement = singular_vector_agreement(a, b)
        if not (a.S[0] > 0 and b.S[0] > 0):
            agreement = torch.full_like(agreement, torch.nan)
        data = write(group, f"agreement/{name}", agreement.diagonal().cpu().numpy())
        data.attrs["score"] = float(diagonal_score(agreement, params.score_length))
        data.attrs["null_level"] = float(agreement_null_level(len(a.U), a.Vh.shape[1]))


def _write_line(group: h5py.Group, alphas: np.ndarray, points: Iterable[_Point]) -> None:
    """Write ranks and metrics of every point of a line, and the barriers."""
    curves: dict[str, list[float]] = {}
    for index, point in enumerate(points):
        write_row(group.require_group("ranks"), point.ranks, index, len(alphas))
        for name, value in point.metrics.items():
            curves.setdefault(f"curves/{name}", []).append(value)
    for name, values in sorted(curves.items()):
        data = write(group, name, values)
        finite = bool(np.isfinite(values).all())
        data.attrs["barrier"] = loss_barrier(alphas.tolist(), values) if finite else np.nan
