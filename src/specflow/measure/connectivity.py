"""Mode connectivity: the line between every two branch ends of one split point.

Layout of the file (version 1), N points, for every pair of branches "a-b":
    /alpha (N,)
    /<a-b>/curves/<keep>/<keep_fraction>/<split>/<metric> (N,), attribute barrier (NaN if a
        point is not finite)
    /<a-b>/ranks/<parameter> (N,): normalized effective rank along the line
    /<a-b>/agreement/<parameter> (k,): of the two ends, attributes score and null_level
"""

from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import h5py
import numpy as np
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
from specflow.models import Network
from specflow.models.wiring import Wiring
from specflow.params.resolve import ConnectParams
from specflow.params.tasks import InterventionParams, RunParams
from specflow.spectra import (
    agreement_null_level,
    decompose,
    diagonal_score,
    normalized_effective_rank,
    singular_values,
    singular_vector_agreement,
)
from specflow.tasks import Task, load_task

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class ConnectionJob:
    """One split point of one trunk: its branch ends by branch number, and the result's place."""

    run: RunParams
    params: ConnectParams
    ends: dict[int, Path]
    target: Path

    @property
    def num_points(self) -> int:
        """Number of networks to be evaluated, prunings not counted."""
        return self.params.num_points * len(list(combinations(self.ends, 2)))


def measure_connection(job: ConnectionJob, report: Report) -> None:
    """Walk along the line between every two branch ends and evaluate each point.

    Args:
        job: The split point.
        report: Called with 1 after each point.

    Raises:
        SpecflowError: If a branch or the data are broken, or the result cannot be written.
    """
    device = choose_device()
    make_deterministic(device)
    task = load_task(job.run, device)
    model = task.build_model()
    alphas = np.linspace(0.0, 1.0, job.params.num_points)
    with create(job.target, CONNECTION, {}) as file:
        write(file, "alpha", alphas)
        for a, b in combinations(sorted(job.ends), 2):
            ends = (final_weights(job.ends[a], task), final_weights(job.ends[b], task))
            group = file.create_group(f"{a}-{b}")
            _write_agreement(group, *ends, model.wiring, job.params)
            _walk(group, ends, alphas, task, model, job.params.interventions, report)


def _write_agreement(
    group: h5py.Group, start: Weights, end: Weights, wiring: Wiring, params: ConnectParams
) -> None:
    for matrix in sorted(wiring.matrices, key=lambda matrix: matrix.view.parameter):
        count = params.spectra.diagonal_length
        a, b = (decompose(matrix_of(matrix.view, weights), count) for weights in (start, end))
        agreement = singular_vector_agreement(a, b)
        data = write(
            group, f"agreement/{matrix.view.parameter}", agreement.diagonal().cpu().numpy()
        )
        data.attrs["score"] = float(diagonal_score(agreement, params.spectra.score_length))
        data.attrs["null_level"] = float(agreement_null_level(len(a.U), a.Vh.shape[1]))


def _walk(
    group: h5py.Group,
    ends: tuple[Weights, Weights],
    alphas: np.ndarray,
    task: Task,
    model: Network,
    params: InterventionParams,
    report: Report,
) -> None:
    """Write ranks and metrics of every point of a line; memory holds one point."""
    variants: list[Variant] = [("full", 1.0), *pruning_variants(params)]
    curves: dict[str, list[float]] = {}
    for index, alpha in enumerate(alphas):
        weights = interpolate(*ends, float(alpha))
        write_row(group.require_group("ranks"), _ranks(weights, model.wiring), index, len(alphas))
        pruned = Pruned(weights, model.wiring)
        for variant in variants:
            metrics = evaluate_changed(task, model, pruned.weights(variant), params)
            for metric, value in metrics.items():
                curves.setdefault(f"curves/{variant_group(variant)}/{metric}", []).append(value)
        report(1)
    for name, values in sorted(curves.items()):
        data = write(group, name, values)
        finite = bool(np.isfinite(values).all())
        data.attrs["barrier"] = loss_barrier(alphas.tolist(), values) if finite else np.nan


def _ranks(weights: Weights, wiring: Wiring) -> dict[str, float]:
    ranks = {}
    for matrix in wiring.matrices:
        S = singular_values(matrix_of(matrix.view, weights))
        defined = bool(S[0] > 0)
        ranks[matrix.view.parameter] = float(normalized_effective_rank(S)) if defined else np.nan
    return ranks
