"""The rows of a training that is under way, and the file of spectra that is made of them.

Each step has a folder of its own, whose rows are sealed and there once they are whole. The file is
made anew of all of them, and takes the place of the one before when it is complete: so whoever
reads it, or kills what writes it, has all rows of some step and those before it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from specflow.checkpoints.base import Checkpoints, Step
from specflow.errors import SpecflowError
from specflow.measure.packed import Row
from specflow.measure.quantities import quantities_always
from specflow.measure.settings import SpectraParams
from specflow.measure.spectra import measure_steps
from specflow.measure.spectra_file import write_spectra
from specflow.measure.steps import Kept
from specflow.scratch import Scratch
from specflow.spectra import QUANTITIES
from specflow.threads import one_thread
from specflow.wiring import Wiring

SPECTRA = "singular_values"
_ABOUT = "about"
_SCALARS = {*QUANTITIES, "step_agreement_score", "start_agreement_score", "alignment_score"}
Scalars = Mapping[str, float]  # by what they are and of what: "stable_rank/blocks.0.mlp_in"


def is_measured(name: str) -> bool:
    """Return whether a number has such a name that is measured here, and not given."""
    return name.removeprefix("gradient_").removeprefix("update_") in _SCALARS


def rows_of(target: Path) -> Scratch:
    """Return the folder of the rows that a file is made of."""
    return Scratch(target.with_name(f"{target.name}.rows"))


class LiveRows:
    """Rows of every matrix and pair at the steps that were measured."""

    def __init__(self, target: Path, wiring: Wiring, settings: SpectraParams) -> None:
        """Look what is there already.

        Args:
            target: Place of the file; its rows lie in a folder beside it, `<name>.rows`.
            wiring: The matrices and pairs.
            settings: What is kept of each.

        Raises:
            SpecflowError: If the rows there, or the file, are of something else.
        """
        self._target, self._wiring, self._settings = target, wiring, settings
        self._folder = rows_of(target)
        self._length = len(wiring.matrices) + len(wiring.pairs)
        self._numbers: set[int] = set()
        self._check(repr((wiring.matrices, wiring.pairs, settings)))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out, and take up the rows that are whole.

        Raises:
            SpecflowError: If the folder cannot be made.
        """
        with self._folder.locked():
            for folder in sorted(self._folder.folder.glob("[0-9]*[0-9]")):
                kept = self._of(int(folder.name))
                with kept.scratch.locked():  # what is damaged goes
                    pass
                kept.scratch.lock.unlink()
                if not kept.absent(0):
                    self._numbers.add(int(folder.name))
            yield

    @property
    def numbers(self) -> list[int]:
        """The steps that were measured, ascending."""
        return sorted(self._numbers)

    def _check(self, about: str) -> None:
        """Check that rows that are there are of the same matrices, or note of which they are.

        Raises:
            SpecflowError: If they are not, or there is only a file.
        """
        if self._folder.has(_ABOUT):
            if self._folder.load(_ABOUT)["about"] != about:
                raise SpecflowError(
                    f"{self._target}: is there, of other matrices or settings; expected another "
                    "place, or the same network and `match`"
                )
        elif self._target.exists():
            raise SpecflowError(
                f"{self._target}: is there, and {self._folder.folder}, to go on with it, is not; "
                "expected another place"
            )
        else:
            with self._folder.locked():
                self._folder.save(_ABOUT, {"about": about})

    def _of(self, number: int) -> Kept:
        return Kept(self._folder.within(f"{number:012d}"), self._length)

    def drop_from(self, number: int) -> None:
        """Forget the rows of a step and of all later ones: training has begun again before them."""
        for later in sorted(one for one in self._numbers if one >= number)[::-1]:
            self._of(later).scratch.remove()
            self._numbers.remove(later)

    def spectra(self, number: int) -> dict[str, np.ndarray]:
        """Return the singular values of each matrix at a step."""
        rows = self._of(number).rows(0, slice(0, len(self._wiring.matrices)))
        named = zip(self._wiring.matrices, rows, strict=True)
        return {matrix.name: row[SPECTRA].clone().numpy() for matrix, row in named}

    def measure(self, checkpoints: Checkpoints) -> Scalars:
        """Measure a step, the one of these checkpoints, and keep its rows.

        Returns:
            The quantities and scores of each matrix and pair: the score of agreement with the step
            before is `step_agreement_score`, that with the first one `start_agreement_score`.

        Raises:
            SpecflowError: If a decomposition does not converge, or the disk is full.
        """
        number = checkpoints.steps[0].number
        scratch = self._of(number).scratch
        scratch.remove()  # what a killed process had begun is of other weights
        scratch.folder.mkdir()
        arguments = checkpoints, self._wiring, self._settings, [0], scratch, _unreported
        measure_steps(*arguments, workers=1)
        for name in scratch.names("decompositions*"):  # of large weights: no step needs another's
            scratch.forget(name)
        self._numbers.add(number)
        return self._scalars(number)

    def publish(self) -> None:
        """Make the file of all rows that are there.

        Raises:
            SpecflowError: If the disk is full; the file before stays.
        """
        numbers = self.numbers
        if not numbers:
            return
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

        arguments = steps, self._wiring, self._settings, kept[0].sizes(0), rows
        with one_thread():
            write_spectra(self._target, *arguments)

    def _scalars(self, number: int) -> Scalars:
        whole, numbers = slice(0, self._length), self.numbers
        place = numbers.index(number)
        before = numbers[max(place - 1, 0)]
        now, then, first = (self._of(one).rows(0, whole) for one in (number, before, numbers[0]))
        matrices = self._wiring.matrices
        shapes = [(matrix.view.rows, matrix.view.columns) for matrix in matrices]
        spectra = [row[SPECTRA][None] for row in now[: len(matrices)]]
        quantities = quantities_always(spectra, shapes, self._settings)
        found: dict[str, float] = {}
        of_matrices = (rows[: len(matrices)] for rows in (now, then, first))
        for matrix, own, row, old, start in zip(matrices, quantities, *of_matrices, strict=True):
            cells = {name: value for name, value in row.items() if not value.ndim} | own
            cells["step_agreement_score"] = _step_score(row, old, is_first=place == 0)
            cells["start_agreement_score"] = _agreement(row, start).mean()
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
    agreement = _agreement(row, last)
    return row | {
        "agreement": agreement,
        "agreement_score": agreement.mean(),
        "step_agreement_score": _step_score(row, before, is_first=is_first),
    }


def _step_score(row: Row, before: Row, *, is_first: bool) -> Tensor:
    score = _agreement(row, before).mean()
    return torch.full_like(score, torch.nan) if is_first else score


def _agreement(row: Row, other: Row) -> Tensor:
    """Return the agreement of two steps, direction by direction, shape (k,), float64."""
    left, right = ((row[side].double() * other[side].double()).sum(1) for side in ("left", "right"))
    return (left * right).abs()
