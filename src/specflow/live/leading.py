"""Rows of the first singular values and vectors, at more steps than whole spectra are measured.

Those of the last step are what the next one begins with (`spectra.leading`). Vectors are kept of
the first step and of the last one alone.

Layout of the file (version 1), T steps, k = 10 or fewer:
    /step (T,) int64
    /matrices/<name>: singular_values (T, k), vector_error (T, k): how far the vectors may be off
        (`Leading.error`), spectral_norm, frobenius_norm and stable_rank (T,), and
        step_agreement_score and start_agreement_score (T,), with the step before of this file and
        with its first; attributes as in a file of spectra
    /pairs/<label>: alignment (T, k) and alignment_score (T,), and kernel_scores as there
    /given (T, N), what else was given of each step, and its N names as JSON
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from specflow.checkpoints.base import Checkpoints
from specflow.checkpoints.stream import batches, read_views
from specflow.errors import SpecflowError
from specflow.hdf5 import create, describe, write
from specflow.live.rows import SCORES, VALUES, Rows, Scalars, agreement, write_given
from specflow.measure.decompositions import directions
from specflow.measure.layouts import LEADING
from specflow.measure.meetings import alignment_row
from specflow.measure.packed import Row, over_time, packed, unpacked
from specflow.measure.spectra_file import attributes_of
from specflow.spectra import Decomposition, where_defined
from specflow.spectra.block_diagonal import decompose_blocks
from specflow.spectra.leading import Leading, leading_of, leading_vectors
from specflow.spectra.side_by_side import map_matrices
from specflow.wiring import View, Wiring

COUNT = 10
_MOST_PATIENCE = 16
_NAN = torch.tensor(torch.nan, dtype=torch.float64)


@dataclass
class _Held:
    """What is known of a matrix since the last time.

    Attributes:
        start: Vectors to begin with.
        wait: How often it is decomposed whole at once, since beginning with those has not helped.
        patience: How often after the next time that it does not.
    """

    start: Tensor | None = None
    wait: int = 0
    patience: int = 1


class LeadingRows(Rows):
    """Rows of leading singular values and vectors, a file a step."""

    def __init__(self, target: Path, wiring: Wiring) -> None:
        """Look what is there already.

        Raises:
            SpecflowError: As for `Rows`.
        """
        super().__init__(target, wiring, repr((wiring.matrices, wiring.pairs, COUNT)))
        self._held = {view: _Held() for view in wiring.views}
        self._loaded: dict[int, Mapping[str, Any]] = {}

    def _found(self) -> Iterator[int]:
        yield from map(int, self._folder.names("[0-9]*[0-9]"))

    def _forget(self, number: int) -> None:
        self._loaded.pop(number, None)
        self._folder.forget(_name(number))
        self._folder.forget(_vectors(number))

    def _make(self, number: int, checkpoints: Checkpoints, given: Scalars) -> None:
        found = self._leading_of(checkpoints)
        parts = {view: directions(Decomposition(*one[:3])) for view, (one, _) in found.items()}
        views = [matrix.view for matrix in self._wiring.matrices]
        vectors = [_vectors_of(parts[view]) for view in views]
        numbers = self.numbers
        before = self._kept(numbers[-1]) if numbers else None
        first = self._kept(numbers[0]) if numbers else vectors
        rows: list[Row] = []
        for place, view in enumerate(views):
            scores = (
                _NAN if those is None else agreement(vectors[place], those[place]).mean()
                for those in (before, first)
            )
            rows.append(_row_of(*found[view]) | dict(zip(SCORES, scores, strict=False)))
        rows += [alignment_row(pair, parts, COUNT) for pair in self._wiring.pairs]
        self._folder.save(_vectors(number), packed(vectors))  # before what they are of
        self._folder.save(_name(number), {"rows": packed(rows), "given": given})
        for name in self._folder.names("vectors*"):
            if name not in (_vectors(number), _vectors(numbers[0] if numbers else number)):
                self._folder.forget(name)

    def _leading_of(self, checkpoints: Checkpoints) -> Mapping[View, tuple[Leading, Tensor]]:
        """Return what leads each matrix, and its Frobenius norm.

        Raises:
            SpecflowError: If a decomposition does not converge; it names the matrix and the step.
        """
        found: dict[View, tuple[Leading, Tensor]] = {}
        with checkpoints.open(0) as tensors:
            for batch in batches(self._held, tensors.infos, 1):
                weights = read_views(tensors, batch)
                try:
                    own = map_matrices(self._of_matrix, weights, workers=1)
                except (ValueError, ArithmeticError) as error:
                    step = checkpoints.steps[0]
                    raise SpecflowError(f"{step.place}: step {step.number}: {error}") from error
                found |= {view: own.get(view) or (_undefined(view), _NAN) for view in batch}
        return found

    def _of_matrix(self, view: View, weight: Tensor) -> tuple[Leading, Tensor]:
        if not torch.stack(weight.aminmax()).isfinite().all():
            return _undefined(view), _NAN
        norm = torch.linalg.vector_norm(weight, dtype=torch.float64)
        return self._leading(view, weight), norm

    def _leading(self, view: View, weight: Tensor) -> Leading:
        if view.groups > 1:
            blocks = weight.unflatten(0, (view.groups, -1))
            return leading_of(decompose_blocks(blocks, COUNT), COUNT)
        held = self._held[view]
        found = leading_vectors(weight, COUNT, held.start, whole=held.wait > 0)
        held.start = found.start
        if held.wait:
            held.wait -= 1
        elif found.is_whole:
            held.wait, held.patience = held.patience, min(2 * held.patience, _MOST_PATIENCE)
        else:
            held.patience = 1
        return found

    def _load(self, number: int) -> Mapping[str, Any]:
        """Return what is kept of a step; it is read once, and few numbers."""
        if number not in self._loaded:
            self._loaded[number] = self._folder.load(_name(number))
        return self._loaded[number]

    def _kept(self, number: int) -> list[Row] | None:
        """Return the vectors of a step, None if they are not kept."""
        name = _vectors(number)
        return unpacked(self._folder.load(name)) if self._folder.has(name) else None

    def _scalars(self, number: int) -> Scalars:
        names = [matrix.name for matrix in self._wiring.matrices]
        names += [pair.label for pair in self._wiring.pairs]
        rows = unpacked(self._load(number)["rows"])
        return {
            f"{key}/{name}": float(value)
            for name, row in zip(names, rows, strict=True)
            for key, value in row.items()
            if not value.ndim
        }

    def _write(self, numbers: Sequence[int]) -> None:
        kept = [self._load(number) for number in numbers]
        rows, about = over_time([one["rows"] for one in kept]), attributes_of(self._wiring)
        with create(self._target, LEADING, {}) as file:
            write(file, "step", np.array(numbers, dtype=np.int64))
            for (kind, name), row in zip(about, rows, strict=True):
                group = file.create_group(f"{kind}/{name}")
                for key in sorted(row):
                    write(group, key, row[key].numpy())
            for (kind, name), attributes in about.items():
                describe(file, f"{kind}/{name}", attributes)
            write_given(file, [one["given"] for one in kept])


def _row_of(leading: Leading, norm: Tensor) -> Row:
    largest = leading.S[0]
    return {
        VALUES: leading.S,
        "vector_error": leading.error,
        "spectral_norm": largest,
        "frobenius_norm": norm,
        "stable_rank": (norm / largest).square() if largest > 0 else _NAN,
    }


def _vectors_of(found: Decomposition) -> Row:
    left, right = (where_defined(part, found.S).float() for part in (found.U.mT, found.Vh))
    return {"left": left.contiguous(), "right": right.contiguous()}


def _undefined(view: View) -> Leading:
    count = min(COUNT, view.rows, view.columns)
    shapes = (view.rows, count), (count,), (count, view.columns), (count,), (0, 0)
    U, S, Vh, error, start = (torch.full(one, torch.nan, dtype=torch.float64) for one in shapes)
    return Leading(U, S, Vh, error, start, is_whole=True)


def _name(number: int) -> str:
    return f"{number:012d}"


def _vectors(number: int) -> str:
    return f"vectors{number:012d}"
