"""Lottery tickets against their sources: what the mask keeps, and where training goes from there.

Layout of the file (version 2), T kept steps of the ticket:
    /step (T,), /epoch (T,)
    /metrics/<split>/<metric> (T,): the ticket's own history
    /matrices/<matrix>: agreement_score (T,) with the source at the same step; attribute depth; of
        masked matrices also attributes density and masked_agreement_score, of the source's final
        weights with and without the mask
A sparse matrix may be of low rank, or all zero: what is no direction agrees with nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from specflow.checkpoints.trajectory import Trajectory, open_trajectory
from specflow.device import choose_device
from specflow.errors import SpecflowError
from specflow.executor import Report, num_workers
from specflow.hdf5 import create, write_row
from specflow.interventions.masks import Kind, ticket_masks
from specflow.measure.decompositions import directions
from specflow.measure.evaluation import to_tensors, write_history
from specflow.measure.layouts import TICKET
from specflow.scratch import Scratch, Work
from specflow.spectra import (
    Decomposition,
    decompose_all,
    diagonal_score,
    singular_vector_agreement,
)
from specflow.threads import one_thread
from specflow.wiring import Matrix, Wiring

Decompositions = Mapping[str, Decomposition]


@dataclass(frozen=True)
class TicketJob:
    """One run of a ticket."""

    source: Path  # trajectory of the run that the ticket comes from
    ticket: Path  # the ticket's own
    target: Path
    wiring: Wiring
    kind: Kind
    density: float
    seed: int  # the source's
    score_length: int  # leading entries whose mean is the agreement score
    work: Work


def measure_ticket(job: TicketJob, report: Report) -> None:
    """Compare every kept step of a ticket with the same step of its source.

    The mask is computed again, by the function and from the weights that it came from. Matrices
    are decomposed by threads side by side.

    Raises:
        SpecflowError: If a trajectory is broken, the ticket has a step that the source has not or
            a weight that its mask does not keep, or the result cannot be written.
    """
    scratch = job.work.scratch()
    scratch.make(job.target, partial(_measure, job, scratch, report))


def _measure(job: TicketJob, scratch: Scratch, report: Report) -> None:
    with (
        open_trajectory(job.source) as source,
        open_trajectory(job.ticket) as ticket,
        create(job.target, TICKET, {}) as file,
        one_thread(),
    ):
        write_history(file, ticket, "metrics")
        comparison = _Comparison(job, source, ticket)
        for index, step in enumerate(ticket.steps):
            found = scratch.remember(f"step{step}", partial(comparison.at, index))
            for name, scores in found["matrices"].items():
                group = file.require_group(f"matrices/{name}")
                write_row(group, scores, index, len(ticket.steps))
            report(1)
        for depth, matrix in enumerate(job.wiring.matrices):
            about = {"depth": depth, **found["masks"].get(matrix.name, {})}
            file[f"matrices/{matrix.name}"].attrs.update(about)


class _Comparison:
    def __init__(self, job: TicketJob, source: Trajectory, ticket: Trajectory) -> None:
        self._job, self._workers, self._device = job, num_workers(), choose_device()
        self._source, self._ticket = source, ticket
        self._final = to_tensors(source.weights(-1), self._device)
        inner = {matrix.name: self._final[matrix.name].cpu() for matrix in job.wiring.inner}
        masks = ticket_masks(inner, kind=job.kind, density=job.density, seed=job.seed)
        self._masks = {name: mask.to(self._device) for name, mask in masks.items()}

    def at(self, index: int) -> dict[str, Any]:
        """Return the scores of matrices at a kept step, and at the last one those of masks."""
        step = self._ticket.steps[index]
        weights = to_tensors(self._ticket.weights(index), self._device)
        self._check_masked(weights, step)
        then = to_tensors(self._source.weights(self._source.index_of(step)), self._device)
        matrices = self._job.wiring.matrices
        of_source = self._decompose(matrices, then, step)
        of_ticket = self._decompose(matrices, weights, step)
        scores = {
            name: {"agreement_score": self._score(own, of_source[name])}
            for name, own in of_ticket.items()
        }
        is_last = index + 1 == len(self._ticket.steps)
        return {"matrices": scores, "masks": self._kept(of_source) if is_last else {}}

    def _kept(self, final: Decompositions) -> dict[str, dict[str, float]]:
        """Return what each mask keeps of the source's final weights, whose spectra are given."""
        masked = {name: mask.apply(self._final[name]) for name, mask in self._masks.items()}
        kept = self._decompose(self._job.wiring.inner, masked, self._source.steps[-1])
        return {
            name: {
                "density": float(self._masks[name].density),
                "masked_agreement_score": self._score(kept[name], final[name]),
            }
            for name in masked
        }

    def _decompose(
        self, matrices: Iterable[Matrix], weights: Mapping[str, Tensor], step: int
    ) -> Decompositions:
        taken = {m.name: m.view.of(weights[m.name]) for m in matrices}
        try:
            return decompose_all(taken, self._job.score_length, self._workers)
        except (ValueError, ArithmeticError) as error:
            raise SpecflowError(f"step {step}: {error}") from error

    def _score(self, a: Decomposition, b: Decomposition) -> float:
        agreement = singular_vector_agreement(directions(a), directions(b))
        return float(diagonal_score(agreement, self._job.score_length))

    def _check_masked(self, weights: Mapping[str, Tensor], step: int) -> None:
        for name, mask in self._masks.items():
            if weights[name][~mask.kept].any():
                raise SpecflowError(
                    f"{self._job.ticket}: {name} has weights at step {step} that the ticket's mask "
                    "does not keep; expected 0; `dvc repro` makes it again"
                )
