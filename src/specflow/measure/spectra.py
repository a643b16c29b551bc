"""Spectra of any checkpoints: every matrix of every step is read once and decomposed once.

Steps are measured one by one, matrices batch by batch, and each finished step is kept: so memory
is a few times the largest matrix, and a kill loses at most one step. A step is compared with the
last one and the one before; of every step the few leading singular vectors that scores are of stay
until any two are compared. `spectra_file` says what the result holds.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from specflow.checkpoints.base import Checkpoints
from specflow.checkpoints.kept_steps import TrajectoryCheckpoints
from specflow.device import choose_device
from specflow.executor import Report, num_workers
from specflow.measure.decompositions import Batch, Decompositions
from specflow.measure.derived import DerivedSpectra
from specflow.measure.meetings import center_of, meet
from specflow.measure.packed import Row, packed, sizes_of, unpacked
from specflow.measure.quantities import alike, quantities_on_demand
from specflow.measure.settings import SpectraParams
from specflow.measure.spectra_file import See, write_spectra
from specflow.scratch import Scratch, Work
from specflow.spectra import (
    Decomposition,
    diagonal_score,
    singular_vector_agreement,
    where_defined,
)
from specflow.spectra.side_by_side import map_matrices
from specflow.threads import one_thread
from specflow.wiring import Pair, View, Wiring

_CPU = torch.device("cpu")
_TOGETHER = 2**11  # singular values, of which quantities are computed in one turn
_ROWS = 2**12  # of matrices, that are made together: tensors of few entries are mostly overhead
_NAN = torch.tensor(math.nan, dtype=torch.float64)


def measure_spectra(
    checkpoints: Checkpoints,
    wiring: Wiring,
    settings: SpectraParams,
    target: Path,
    scratch: Scratch,
    report: Report,
    *,
    workers: int,
    device: torch.device = _CPU,
    strict: bool = False,
    see: See | None = None,
) -> None:
    """Measure every matrix and pair at every step, and write the result.

    Args:
        checkpoints: The steps.
        wiring: The matrices and pairs.
        settings: What is kept of each.
        target: Place of the result.
        scratch: Where finished steps are kept; the caller locks it, and removes it in the end.
        report: Called with 1 after each step.
        workers: Threads, one matrix each; their number changes no bit.
        device: What decomposes.
        strict: Whether a matrix that is absent or not finite is an error, not just undefined.
        see: Called with each entry of the result, as `write_spectra` does.

    Raises:
        SpecflowError: If a checkpoint is broken, a decomposition does not converge (it names the
            matrix and the step), or the disk is full.
    """
    steps = measure_steps(
        checkpoints,
        wiring,
        settings,
        range(len(checkpoints.steps)),
        scratch,
        report,
        workers=workers,
        device=device,
        strict=strict,
    )
    with one_thread():
        write_spectra(target, checkpoints.steps, wiring, settings, steps.sizes(), steps.rows, see)


def measure_steps(
    checkpoints: Checkpoints,
    wiring: Wiring,
    settings: SpectraParams,
    some: Iterable[int],
    scratch: Scratch,
    report: Report,
    *,
    workers: int,
    device: torch.device = _CPU,
    strict: bool = False,
) -> "Steps":
    """Measure some steps, ascending places from 0, and keep each in scratch.

    Arguments and errors as for `measure_spectra`.
    """
    decompositions = Decompositions(
        checkpoints,
        wiring.views,
        scratch,
        count=settings.diagonal_length,
        workers=workers,
        device=device,
        strict=strict,
    )
    families = frozenset(settings.more)
    derived = DerivedSpectra(checkpoints, wiring, families, decompositions.batches, workers, device)
    steps = Steps(len(checkpoints.steps), wiring, settings, scratch, decompositions, derived)
    with one_thread():
        for index in some:
            steps.measure(index)
            report(1)
    return steps


@dataclass(frozen=True)
class SpectraJob:
    """A run whose spectra are measured.

    Attributes:
        source: Its trajectory.
        target: Place of the result.
        wiring: Its matrices and pairs.
        settings: What is kept of each.
        work: What determines the result.
    """

    source: Path
    target: Path
    wiring: Wiring
    settings: SpectraParams
    work: Work


def measure_run(job: SpectraJob, report: Report) -> None:
    """Measure a run as `measure_spectra` does, unless that is done; nothing may be missing.

    Raises:
        SpecflowError: As for `measure_spectra`.
    """
    scratch = job.work.scratch()
    measure = partial(
        measure_spectra,
        TrajectoryCheckpoints(job.source),
        job.wiring,
        job.settings,
        job.target,
        scratch,
        report,
        workers=num_workers(),
        device=choose_device(),
        strict=True,
    )
    scratch.make(job.target, measure)


@dataclass(frozen=True)
class Steps:
    """The finished steps: a row of each matrix, then of each pair."""

    count: int
    wiring: Wiring
    settings: SpectraParams
    scratch: Scratch
    decompositions: Decompositions
    derived: DerivedSpectra
    _loaded: dict[int, Mapping[str, Any]] = field(default_factory=dict)

    def sizes(self) -> list[int]:
        """Return the bytes of each row of a finished step."""
        return sizes_of(self._finished(0))

    def rows(self, index: int, some: slice) -> list[Row]:
        """Return some rows of a finished step."""
        return unpacked(self._finished(index), some)

    def _finished(self, index: int) -> Mapping[str, Any]:
        """Return what is kept of a finished step; it is read and checked once."""
        if index not in self._loaded:
            self._loaded[index] = self.scratch.load(step_name(index), mapped=True)
        return self._loaded[index]

    def measure(self, index: int) -> None:
        """Finish a step, unless it is finished."""
        if not self.scratch.has(step_name(index)):
            for needed in (max(index - 1, 0), self.count - 1, index):
                self.decompositions.measure(needed)
            of_matrices, of_pairs = self.derived.at(index)
            matrix_rows = self._matrix_rows(index, of_matrices)
            pair_rows = zip(self._pair_rows(index), of_pairs, strict=True)
            rows = chain(matrix_rows, (row | more for row, more in pair_rows))
            self.scratch.save(step_name(index), packed(rows))
        if index > 0:
            self.decompositions.forget(index - 1)

    def _matrix_rows(self, index: int, derived: Mapping[View, Row]) -> Iterator[Row]:
        """Yield rows of all matrices: of a small network's a few together, else of all."""
        views = [matrix.view for matrix in self.wiring.matrices]
        length = _ROWS if len(self.decompositions.batches) == 1 else len(views)
        for start in range(0, len(views), length):
            some = views[start : start + length]
            yield from self._with_more(some, self._rows_of(some, index), derived)

    def _rows_of(self, views: Sequence[View], index: int) -> Mapping[View, Row]:
        tracked, rows = set(views), {}
        compared = (index, self.count - 1, max(index - 1, 0))
        for number in range(len(self.decompositions.batches)):
            now, last, before = (self.decompositions.batch(step, number) for step in compared)
            for view in tracked & now.keys():
                rows[view] = self._matrix_row(now[view], last[view])
                score = self._score(now[view], before[view]) if index > 0 else _NAN
                rows[view]["step_agreement_score"] = score
        return rows

    def _with_more(
        self, views: Sequence[View], rows: Mapping[View, Row], derived: Mapping[View, Row]
    ) -> Iterable[Row]:
        """Return rows of matrices with the derived spectra, and quantities on demand."""
        full = [rows[view] | derived.get(view, {}) for view in views]
        together = {
            ", ".join(str(views[place]) for place in places): places
            for kind in alike((view.rows, view.columns, view.groups) for view in views)
            for places in _some(kind, len(full[kind[0]]["singular_values"]))
        }

        def of(name: str, S: Tensor) -> list[Row]:
            some, first = together[name], views[together[name][0]]
            own = [full[place] for place in some]
            shape = first.rows, first.columns
            return quantities_on_demand(own, shape, self.settings, first.groups)

        spectra = {
            name: torch.stack([full[place]["singular_values"] for place in some])
            for name, some in together.items()
        }
        for name, more in map_matrices(of, spectra, self.derived.workers).items():
            for place, own in zip(together[name], more, strict=True):
                full[place] |= own
        return full

    def _matrix_row(self, now: Decomposition, last: Decomposition) -> Row:
        agreement, leading = _agreement(now, last), self._leading(now)
        left, right = (where_defined(part, now.S).float() for part in (leading.U.mT, leading.Vh))
        return {
            "singular_values": now.S,
            "agreement": agreement.contiguous(),
            "agreement_score": agreement[: self.settings.score_length].mean(),
            "left": left.contiguous(),
            "right": right,
        }

    def _score(self, now: Decomposition, other: Decomposition) -> Tensor:
        return _agreement(self._leading(now), self._leading(other)).mean()

    def _leading(self, whole: Decomposition) -> Decomposition:
        """Return the singular vectors that scores are of."""
        count = self.settings.score_length
        return Decomposition(whole.U[:, :count], whole.S, whole.Vh[:count])

    def _pair_rows(self, index: int) -> Iterable[Row]:
        of = self.decompositions.of
        return (self._pair_row(pair, of(index, pair.views)) for pair in self.wiring.pairs)

    def _pair_row(self, pair: Pair, parts: Batch) -> Row:
        count = self.settings.score_length
        meetings = [meet(meeting, parts) for meeting in pair.meetings]
        center = torch.stack([center_of(one).diagonal() for one in meetings]).mean(0)
        row = {"alignment": center, "alignment_score": center[:count].mean()}
        if math.prod(pair.meetings[0].kernel or ()) > 1:
            row["kernel_scores"] = diagonal_score(meetings[0], count)
        return row


def _some(places: Sequence[int], length: int) -> list[Sequence[int]]:
    """Return places of spectra of a length in turns that have few values together."""
    count = max(_TOGETHER // length, 1)
    return [places[start : start + count] for start in range(0, len(places), count)]


def step_name(index: int) -> str:
    """Return the name of what is kept of a finished step."""
    return f"step{index:06d}"


def _agreement(now: Decomposition, other: Decomposition) -> Tensor:
    """Return the diagonal of the agreement, shape (k,); NaN if one of the two is not defined."""
    return where_defined(singular_vector_agreement(now, other).diagonal(), now.S, other.S)
