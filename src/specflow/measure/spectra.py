"""Spectra of a trajectory: one decomposition of each matrix and checkpoint serves everything.

Layout of the file (version 1), T kept steps:
    /step (T,), /epoch (T,)
    /matrices/<parameter>: singular_values (T, R), agreement (T, k) and agreement_score (T,) with
        the last kept step, frobenius_norm and the rank measures (T,)
    /pairs/<label>: alignment (T, k) and alignment_score (T,); where the following matrix is a
        convolution, kernel_scores (T, kh, kw)
Ranks, agreement and alignment of an all-zero matrix are not defined: NaN.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import Tensor

from specflow.device import choose_device
from specflow.executor import Report
from specflow.hdf5 import create, write, write_row
from specflow.layouts import SPECTRA
from specflow.measure.factors import decompose_views
from specflow.measure.views import kernel_of, to_tensors, views_of
from specflow.models.wiring import Matrix, Meeting, Pair, View, Wiring
from specflow.params.tasks import SpectraParams
from specflow.spectra import (
    Decomposition,
    agreement_null_level,
    alignment,
    alignment_null_level,
    diagonal_score,
    effective_rank,
    gini,
    mass_rank,
    normalized_effective_rank,
    singular_vector_agreement,
    stable_rank,
)
from specflow.threads import one_thread
from specflow.trajectory import Trajectory, open_trajectory

Row = dict[str, np.ndarray | float]


@dataclass(frozen=True)
class SpectraJob:
    """Spectra of one run: its trajectory, the place of the result, and what to measure."""

    source: Path
    target: Path
    wiring: Wiring
    params: SpectraParams


def measure_spectra(job: SpectraJob, report: Report, *, workers: int) -> None:
    """Measure every matrix and pair at every kept step; memory holds two checkpoints' factors.

    Args:
        job: The run.
        report: Called with 1 after each checkpoint.
        workers: Threads, one matrix each.

    Raises:
        SpecflowError: If the trajectory is broken, a matrix is not finite (it names the matrix
            and the step), or the result cannot be written.
    """
    with (
        open_trajectory(job.source) as trajectory,
        create(job.target, SPECTRA, {}) as file,
        one_thread(),
    ):
        length = len(trajectory.steps)
        write(file, "step", np.array(trajectory.steps, dtype=np.int64))
        write(file, "epoch", np.array(trajectory.epochs))
        measure = _Measurement(job.wiring, job.params, choose_device(), workers)
        final = measure.decompose(trajectory, length - 1)
        for index in range(length):
            factors = final if index == length - 1 else measure.decompose(trajectory, index)
            measure.write_step(file, index, length, factors, final)
            report(1)


class _Measurement:
    def __init__(
        self, wiring: Wiring, params: SpectraParams, device: torch.device, workers: int
    ) -> None:
        self._wiring, self._params = wiring, params
        self._device, self._workers = device, workers
        self._views = views_of(wiring)
        self._kernels: dict[View, tuple[int, int] | None] = {}

    def decompose(self, trajectory: Trajectory, index: int) -> Mapping[View, Decomposition]:
        weights = to_tensors(trajectory.weights(index), self._device)
        self._kernels = {view: kernel_of(view, weights) for view in self._views}
        step, count = trajectory.steps[index], self._params.diagonal_length
        return decompose_views(self._views, weights, step=step, count=count, workers=self._workers)

    def write_step(
        self,
        file: h5py.File,
        index: int,
        length: int,
        factors: Mapping[View, Decomposition],
        final: Mapping[View, Decomposition],
    ) -> None:
        for depth, matrix in enumerate(self._wiring.matrices):
            group = file.require_group(f"matrices/{matrix.view.parameter}")
            now, end = factors[matrix.view], final[matrix.view]
            write_row(group, self._matrix_row(now, end), index, length)
            if index == 0:
                _describe_matrix(group, matrix, depth, now)
        for depth, pair in enumerate(self._wiring.pairs):
            group = file.require_group(f"pairs/{pair.label}")
            write_row(group, self._pair_row(pair, factors), index, length)
            if index == 0:
                group.attrs["depth"] = depth
                group.attrs["null_alignment"] = _null_alignment(pair, factors)

    def _matrix_row(self, now: Decomposition, end: Decomposition) -> Row:
        S = now.S
        defined = bool(S[0] > 0)
        diagonal = singular_vector_agreement(now, end).diagonal()
        if not (defined and end.S[0] > 0):
            diagonal = torch.full_like(diagonal, torch.nan)
        measures = {
            "effective_rank": effective_rank,
            "normalized_effective_rank": normalized_effective_rank,
            "stable_rank": stable_rank,
            "gini": gini,
        }
        row: Row = {name: float(f(S)) if defined else np.nan for name, f in measures.items()}
        return row | {
            "mass_rank": float(mass_rank(S, self._params.mass)) if defined else np.nan,
            "frobenius_norm": float(S.square().sum().sqrt()),
            "singular_values": S.cpu().numpy(),
            "agreement": diagonal.cpu().numpy(),
            "agreement_score": float(diagonal[: self._params.score_length].mean()),
        }

    def _pair_row(self, pair: Pair, factors: Mapping[View, Decomposition]) -> Row:
        meetings = [self._meet(meeting, factors) for meeting in pair.meetings]
        center = torch.stack([_center(positions).diagonal() for positions in meetings]).mean(0)
        row: Row = {
            "alignment": center.cpu().numpy(),
            "alignment_score": float(center[: self._params.score_length].mean()),
        }
        kernel = meetings[0].shape[:2]
        if kernel != (1, 1):
            count = self._params.score_length
            scores = [
                [float(diagonal_score(matrix, count)) for matrix in line] for line in meetings[0]
            ]
            row["kernel_scores"] = np.array(scores)
        return row

    def _meet(self, meeting: Meeting, factors: Mapping[View, Decomposition]) -> Tensor:
        """Return the alignment at every kernel position, shape (kh, kw, k, k)."""
        previous, following = factors[meeting.previous], factors[meeting.following]
        kernel = self._kernels[meeting.following] if meeting.following_side == "right" else None
        matrices = alignment(
            previous,
            following,
            previous_side=meeting.previous_side,
            following_side=meeting.following_side,
            kernel=kernel or (1, 1),
            position="all",
        )
        defined = previous.S[0] > 0 and following.S[0] > 0
        return matrices if defined else torch.full_like(matrices, torch.nan)


def _center(positions: Tensor) -> Tensor:
    return positions[positions.shape[0] // 2, positions.shape[1] // 2]


def _describe_matrix(group: h5py.Group, matrix: Matrix, depth: int, factors: Decomposition) -> None:
    rows, columns = len(factors.U), factors.Vh.shape[1]
    group.attrs["label"], group.attrs["depth"] = matrix.label, depth
    group.attrs["rows"], group.attrs["columns"] = rows, columns
    group.attrs["null_agreement"] = float(agreement_null_level(rows, columns))


def _null_alignment(pair: Pair, factors: Mapping[View, Decomposition]) -> float:
    """Return the alignment of unrelated matrices: that of a random unit vector and a fixed one."""
    meeting = pair.meetings[0]
    factor = factors[meeting.following]
    vectors = factor.Vh.T if meeting.following_side == "right" else factor.U
    return float(alignment_null_level(len(vectors)))
