"""The rows of a training that is under way, and the file that is made of them.

The rows of a step are sealed, and there once they are whole. The file is made anew of all of them,
and takes the place of the one before when it is complete: so whoever reads it, or kills what writes
it, has all rows of some step and those before it.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
from torch import Tensor

from specflow.checkpoints.base import Checkpoints
from specflow.errors import SpecflowError
from specflow.hdf5 import describe, write
from specflow.live.kinds import Kind
from specflow.measure.layouts import GIVEN
from specflow.measure.packed import Row
from specflow.scratch import Scratch
from specflow.spectra import QUANTITIES
from specflow.threads import one_thread
from specflow.wiring import Wiring

VALUES = "singular_values"
SCORES = ("step_agreement_score", "start_agreement_score", "alignment_score")
_ABOUT = "about"
Scalars = Mapping[str, float]  # by what they are and of what: "stable_rank/blocks.0.mlp_in"
Spectra = Mapping[str, np.ndarray]


class Rows(ABC):
    """Rows of every matrix and pair at the steps that were measured."""

    def __init__(self, target: Path, wiring: Wiring, about: str) -> None:
        """Look what is there already.

        Args:
            target: Place of the file; its rows lie in a folder beside it, `<name>.rows`.
            wiring: The matrices and pairs.
            about: What tells rows of these, and of what is measured, from others.

        Raises:
            SpecflowError: If the rows there, or the file, are of something else.
        """
        self._target, self._wiring, self._folder = target, wiring, rows_of(target)
        self._numbers: set[int] = set()
        self._is_published = False
        self._check(about)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out, and take up the rows that are whole.

        Raises:
            SpecflowError: If the folder cannot be made.
        """
        with self._folder.alone():
            self._numbers |= {*self._found()}
            yield

    @property
    def numbers(self) -> list[int]:
        """The steps that were measured, ascending."""
        return sorted(self._numbers)

    def drop_from(self, number: int) -> None:
        """Forget the rows of a step and of all later ones: training has begun again before them."""
        repeated = [one for one in self.numbers if one >= number]
        for later in repeated[::-1]:
            self._forget(later)
            self._numbers.remove(later)
            self._is_published = False
        if repeated and not self._numbers:  # none of its steps is of this training any more
            self._target.unlink(missing_ok=True)

    def measure(self, checkpoints: Checkpoints, given: Scalars) -> Scalars:
        """Measure a step, the one of these checkpoints, and keep its rows.

        Args:
            checkpoints: The step.
            given: What else is known of it.

        Returns:
            Quantities and scores of each matrix and pair: the score of agreement with the step
            before is `step_agreement_score`, that with the first one `start_agreement_score`.

        Raises:
            SpecflowError: If a decomposition does not converge, or the disk is full.
        """
        number = checkpoints.steps[0].number
        self._make(number, checkpoints, given)
        self._numbers.add(number)
        self._is_published = False
        return self._scalars(number)

    def first(self) -> Scalars:
        """Return the quantities and scores of the first step; nothing if there is none."""
        return self._scalars(self.numbers[0]) if self._numbers else {}

    def spectra(self, number: int) -> Spectra:
        """Return the whole singular values of each matrix at a step, if they are measured."""
        return {}

    def publish(self) -> None:
        """Make the file of all rows that are there, unless it has been.

        Raises:
            SpecflowError: If the disk is full; the file before stays.
        """
        if self._numbers and not self._is_published:
            with one_thread():
                self._write(self.numbers)
            self._is_published = True

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
            with self._folder.alone():
                self._folder.save(_ABOUT, {"about": about})

    @abstractmethod
    def _found(self) -> Iterable[int]:
        """Return the steps whose rows are whole."""

    @abstractmethod
    def _forget(self, number: int) -> None:
        """Remove the rows of a step."""

    @abstractmethod
    def _make(self, number: int, checkpoints: Checkpoints, given: Scalars) -> None:
        """Measure a step and keep its rows."""

    @abstractmethod
    def _scalars(self, number: int) -> Scalars:
        """Return the quantities and scores of a step that was measured."""

    @abstractmethod
    def _write(self, numbers: Sequence[int]) -> None:
        """Write the file of some steps."""


def is_measured(name: str) -> bool:
    """Return whether a number has such a name, of whatever matrix, that is measured here."""
    quantity = name.partition("/")[0]
    bare = {quantity.removeprefix(kind.prefix) for kind in Kind}
    return not bare.isdisjoint({*QUANTITIES, *SCORES})


def rows_of(target: Path) -> Scratch:
    """Return the folder of the rows that a file is made of."""
    return Scratch(target.with_name(f"{target.name}.rows"))


def agreement(row: Row, other: Row) -> Tensor:
    """Return the agreement of two steps, direction by direction, shape (k,), float64."""
    left, right = ((row[side].double() * other[side].double()).sum(1) for side in ("left", "right"))
    return (left * right).abs()


def write_given(file: h5py.File, steps: Sequence[Scalars]) -> None:
    """Write what was given of each step, (T, N), and the N names; nothing if nothing was."""
    names = sorted({name for one in steps for name in one})
    if names:
        values = [[one.get(name, np.nan) for name in names] for one in steps]
        write(file, GIVEN, np.array(values, dtype=np.float64))
        describe(file, GIVEN, {"names": json.dumps(names)})
