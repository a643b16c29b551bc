"""Spectra of a suite: every matrix of every step is read once and decomposed once.

What is finished is kept step by step. Of all singular vectors that are stored, those of three steps
are on disk at a time: the last step, which all are compared with, the current one and the one
before. The few that scores are of stay until any two steps are compared with each other.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np
import torch
from specflow.suite_results import SUITE
from specflow.suites.matrices import SuiteMatrix
from specflow.suites.partial import Partial
from specflow.suites.suite import Suite
from threadpoolctl import threadpool_limits
from torch import Tensor

from specflow.errors import SpecflowError
from specflow.executor import Report
from specflow.hdf5 import create, open_file, write, write_row
from specflow.layouts import Layout
from specflow.spectra import Decomposition, agreement_null_level, alignment_null_level
from specflow.spectra.side_by_side import map_matrices
from specflow.suites.any_two import LEADING, agreement_scores, write_leading
from specflow.suites.measures import (
    agreement_diagonal,
    decompose,
    names_met,
    pair_diagonal,
    score,
    spectrum_measures,
    undefined,
)
from specflow.suites.memory import release_memory

_FACTORS = Layout("suite factors", 1)

Row = dict[str, np.ndarray | float]


def analyze_suite(
    suite: Suite, partial: Partial, target: Path, report: Report, workers: int
) -> None:
    """Write the measures of every matrix and pair at every step.

    Args:
        suite: The suite.
        partial: Where what is finished is kept; emptied by the caller.
        target: Place of the result.
        report: Called with 1 after each step.
        workers: Threads, one matrix each.

    Raises:
        SpecflowError: If a file is broken, a decomposition does not converge, or the disk is full.
    """
    analysis = _Analysis(suite, partial, workers)
    last = len(suite.steps) - 1
    for index in range(len(suite.steps)):
        if not partial.has("agreement", index):
            for needed in {last, index, max(index - 1, 0)}:
                analysis.measure(needed)
            partial.save("agreement", index, analysis.agreement(index))
        if index > 0:
            partial.forget("factors", index - 1)
        report(1)
    with create(target, SUITE, {}) as file:
        analysis.write(file)


@dataclass(frozen=True)
class _Analysis:
    suite: Suite
    partial: Partial
    workers: int

    def measure(self, index: int) -> None:
        """Keep singular values, leading singular vectors and alignments of a step."""
        kept = ("factors", "measures")
        if all(self.partial.has(kind, index) for kind in kept):
            return
        spectra: dict[str, np.ndarray] = {}
        views = self.suite.wiring.views.values()
        place = self.partial.path
        with (
            create(place("factors", index), _FACTORS, {}) as factors,  # there last, so both are
            create(place("leading", index), LEADING, {}) as leading,
            self.suite.open(index) as checkpoint,
        ):
            for batch in self.suite.batches(views, self.workers):
                weights = self.suite.read(checkpoint, batch)
                spectra |= self._measure_batch(batch, weights, index, factors, leading)
                del weights
                release_memory()
        self.partial.save("measures", index, spectra | self._alignments(index))

    def _measure_batch(
        self,
        batch: Sequence[SuiteMatrix],
        weights: Mapping[str, Tensor],
        index: int,
        factors: h5py.File,
        leading: h5py.File,
    ) -> dict[str, np.ndarray]:
        """Write leading singular vectors and return singular values; neither stays in memory."""
        found = self._decompose(weights, index)
        for matrix in batch:
            if matrix.name not in found:
                found[matrix.name] = undefined(matrix.rows, matrix.columns, self._length)
            parts, number = found[matrix.name], self._numbers[matrix.name]
            if number < len(self.suite.wiring.matrices):
                write_leading(leading.create_group(str(number)), parts, self._score_length)
            group = factors.create_group(str(number))
            write(group, "U", parts.U.float().numpy())
            write(group, "S", parts.S.numpy())
            write(group, "Vh", parts.Vh.float().numpy())
        return {f"S/{name}": parts.S.numpy() for name, parts in found.items()}

    def _decompose(self, weights: Mapping[str, Tensor], index: int) -> dict[str, Decomposition]:
        try:
            with threadpool_limits(1, user_api="blas"):
                return map_matrices(lambda _, w: decompose(w, self._length), weights, self.workers)
        except (ValueError, ArithmeticError) as error:
            step = self.suite.steps[index]
            raise SpecflowError(f"{step.path}: step {step.step}: {error}") from error

    def _alignments(self, index: int) -> dict[str, np.ndarray]:
        found = {}
        with self._factors(index) as read:
            for pair in self.suite.wiring.pairs:
                factors = {name: read(name) for name in names_met([pair])}
                found[f"A/{pair.label}"] = pair_diagonal(pair, factors)
        return found

    def agreement(self, index: int) -> dict[str, np.ndarray]:
        """Return the agreement of a step with the last step and with the one before.

        Returns:
            "D/<matrix>", shape (2, k); NaN in the second row of the first step.
        """
        found = {}
        last = len(self.suite.steps) - 1
        with (
            self._factors(index) as now,
            self._factors(last) as end,
            self._factors(max(index - 1, 0)) as before,
        ):
            for matrix in self.suite.wiring.matrices:
                factors = now(matrix.name)
                with_end = agreement_diagonal(factors, end(matrix.name))
                with_before = agreement_diagonal(factors, before(matrix.name))
                if index == 0:
                    with_before = np.full_like(with_before, np.nan)
                found[f"D/{matrix.name}"] = np.stack([with_end, with_before])
        return found

    @contextmanager
    def _factors(self, index: int) -> Iterator["_Reader"]:
        with open_file(self.partial.path("factors", index), _FACTORS) as file:
            yield _Reader(file, self._numbers)

    @property
    def _length(self) -> int:
        return self.suite.params.spectra.diagonal_length

    @property
    def _score_length(self) -> int:
        return self.suite.params.spectra.score_length

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.suite.wiring.views)}

    def write(self, file: h5py.File) -> None:
        """Write the whole result from what is kept of each step."""
        wiring, length = self.suite.wiring, len(self.suite.steps)
        write(file, "step", np.array([step.step for step in self.suite.steps], dtype=np.int64))
        for index in range(length):
            kept = self.partial.load("measures", index)
            agreement = self.partial.load("agreement", index)
            for number, matrix in enumerate(wiring.matrices):
                group = file.require_group(f"matrices/{number}")
                S, diagonals = kept[f"S/{matrix.name}"], agreement[f"D/{matrix.name}"]
                write_row(group, self._row(S, *diagonals), index, length)
            for number, pair in enumerate(wiring.pairs):
                diagonal = kept[f"A/{pair.label}"]
                scores: Row = {"alignment": diagonal, "alignment_score": self._score(diagonal)}
                write_row(file.require_group(f"pairs/{number}"), scores, index, length)
        leading = [self.partial.path("leading", index) for index in range(length)]
        for number in range(len(wiring.matrices)):
            scores_of_any = agreement_scores(leading, str(number))
            write(file, f"matrices/{number}/agreement_scores", scores_of_any)
        self._describe(file)

    def _row(self, S: np.ndarray, with_end: np.ndarray, with_before: np.ndarray) -> Row:
        return {
            **spectrum_measures(torch.from_numpy(S), self.suite.params.spectra.mass),
            "singular_values": S,
            "agreement": with_end,
            "agreement_score": self._score(with_end),
            "step_agreement_score": self._score(with_before),
        }

    def _score(self, diagonal: np.ndarray) -> float:
        return score(diagonal, self._score_length)

    def _describe(self, file: h5py.File) -> None:
        wiring, views = self.suite.wiring, self.suite.wiring.views
        for number, matrix in enumerate(wiring.matrices):
            attributes = file[f"matrices/{number}"].attrs
            for key in ("name", "label", "parameter", "rows", "columns"):
                attributes[key] = getattr(matrix, key)
            attributes["null_agreement"] = agreement_null_level(matrix.rows, matrix.columns)
        for number, pair in enumerate(wiring.pairs):
            meeting = pair.meetings[0]
            following = views[meeting.following]
            length = following.length(meeting.following_side)
            file[f"pairs/{number}"].attrs["label"] = pair.label
            file[f"pairs/{number}"].attrs["null_alignment"] = alignment_null_level(length)


@dataclass(frozen=True)
class _Reader:
    """The kept decompositions of one step, read one by one."""

    file: h5py.File
    numbers: Mapping[str, int]

    def __call__(self, name: str) -> Decomposition:
        """Return a decomposition by the name of its matrix; vectors are rounded to float32."""
        group = self.file[str(self.numbers[name])]
        U, S, Vh = (torch.from_numpy(group[part][...]).double() for part in ("U", "S", "Vh"))
        return Decomposition(U, S, Vh)
