"""Rows of whole spectra, and a file of them like any other's."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from specflow.checkpoints.base import Checkpoints, Step
from specflow.live.rows import SCORES, VALUES, Rows, Scalars, Spectra, agreement, write_given
from specflow.measure.packed import Row
from specflow.measure.quantities import quantities_always
from specflow.measure.settings import SpectraParams
from specflow.measure.spectra import measure_steps
from specflow.measure.spectra_file import write_spectra
from specflow.measure.steps import Kept
from specflow.spectra import QUANTITIES
from specflow.wiring import Wiring

_GIVEN = "given"
_SCALARS = {*QUANTITIES, *SCORES}


class WholeRows(Rows):
    """Rows of whole spectra; each step has a folder of its own."""

    def __init__(self, target: Path, wiring: Wiring, settings: SpectraParams) -> None:
        """Look what is there already; `settings` say what is kept of each matrix and pair.

        Raises:
            SpecflowError: As for `Rows`.
        """
        super().__init__(target, wiring, repr((wiring.matrices, wiring.pairs, settings)))
        self._settings = settings
        self._length = len(wiring.matrices) + len(wiring.pairs)

    def spectra(self, number: int) -> Spectra:
        """Return the singular values of each matrix at a step."""
        rows = self._of(number).rows(0, slice(0, len(self._wiring.matrices)))
        named = zip(self._wiring.matrices, rows, strict=True)
        return {matrix.name: row[VALUES].clone().numpy() for matrix, row in named}

    def _of(self, number: int) -> Kept:
        return Kept(self._folder.within(f"{number:012d}"), self._length)

    def _found(self) -> Iterator[int]:
        for folder in sorted(self._folder.folder.glob("[0-9]*[0-9]")):
            kept = self._of(int(folder.name))
            with kept.scratch.alone():  # what is damaged goes
                pass
            if not kept.absent(0):
                yield int(folder.name)

    def _forget(self, number: int) -> None:
        self._of(number).scratch.remove()

    def _make(self, number: int, checkpoints: Checkpoints, given: Scalars) -> None:
        scratch = self._of(number).scratch
        scratch.remove()  # what a killed process had begun is of other weights
        scratch.folder.mkdir()
        scratch.save(_GIVEN, given)
        arguments = checkpoints, self._wiring, self._settings, [0], scratch, _unreported
        measure_steps(*arguments, workers=1)
        for name in scratch.names("decompositions*"):  # of large weights: no step needs another's
            scratch.forget(name)

    def _write(self, numbers: Sequence[int]) -> None:
        steps = [Step(number, None, str(self._target)) for number in numbers]
        kept = [self._of(number) for number in numbers]

        def rows(index: int, some: slice) -> list[Row]:
            now, before, last = (
                kept[place].rows(0, some) for place in (index, max(index - 1, 0), -1)
            )
            return [
                _compared(*three, is_first=index == 0)
                for three in zip(now, before, last, strict=True)
            ]

        given = [one.scratch.load(_GIVEN) if one.scratch.has(_GIVEN) else {} for one in kept]
        arguments = steps, self._wiring, self._settings, kept[0].sizes(0), rows
        write_spectra(self._target, *arguments, more=partial(write_given, steps=given))

    def _scalars(self, number: int) -> Scalars:
        whole, numbers = slice(0, self._length), self.numbers
        place = numbers.index(number)
        before = numbers[max(place - 1, 0)]
        now, then, first = (self._of(one).rows(0, whole) for one in (number, before, numbers[0]))
        matrices = self._wiring.matrices
        shapes = [(matrix.view.rows, matrix.view.columns) for matrix in matrices]
        spectra = [row[VALUES][None] for row in now[: len(matrices)]]
        quantities = quantities_always(spectra, shapes, self._settings)
        found: dict[str, float] = {}
        of_matrices = (rows[: len(matrices)] for rows in (now, then, first))
        for matrix, own, row, old, start in zip(matrices, quantities, *of_matrices, strict=True):
            cells = {name: value for name, value in row.items() if not value.ndim} | own
            cells["step_agreement_score"] = _step_score(row, old, is_first=place == 0)
            cells["start_agreement_score"] = agreement(row, start).mean()
            found |= {f"{name}/{matrix.name}": float(value) for name, value in cells.items()}
        for pair, row in zip(self._wiring.pairs, now[len(matrices) :], strict=True):
            found[f"alignment_score/{pair.label}"] = float(row["alignment_score"])
        return {name: value for name, value in found.items() if name.partition("/")[0] in _SCALARS}


def _unreported(_: int) -> None:
    """Tell nobody that the step is done."""


def _compared(row: Row, before: Row, last: Row, *, is_first: bool) -> Row:
    """Return a row of a matrix with its agreement with two other steps; one of a pair as it is."""
    if "left" not in row:
        return row
    with_last = agreement(row, last)
    return row | {
        "agreement": with_last,
        "agreement_score": with_last.mean(),
        "step_agreement_score": _step_score(row, before, is_first=is_first),
    }


def _step_score(row: Row, before: Row, *, is_first: bool) -> Tensor:
    score = agreement(row, before).mean()
    return torch.full_like(score, torch.nan) if is_first else score
