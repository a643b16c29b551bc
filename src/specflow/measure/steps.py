"""The steps of spectra: rows of every matrix and pair, made few together and kept as they come."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from specflow.measure.decompositions import Decompositions
from specflow.measure.derived import DerivedSpectra, RowsOf
from specflow.measure.meetings import alignment_row
from specflow.measure.packed import Row, packed, sizes_of, unpacked
from specflow.measure.quantities import alike, quantities_on_demand
from specflow.measure.settings import SpectraParams
from specflow.scratch import Scratch
from specflow.spectra import (
    Decomposition,
    singular_vector_agreement,
    where_defined,
)
from specflow.spectra.side_by_side import map_matrices
from specflow.wiring import View, Wiring

_TOGETHER = 2**11  # singular values, of which quantities are computed in one turn
_ROWS = 2**12  # that are made and kept together: tensors of few entries are mostly overhead
_NAN = torch.tensor(math.nan, dtype=torch.float64)


@dataclass(frozen=True)
class Kept:
    """Rows of finished steps, a row of each matrix and then of each pair, in a few parts each.

    Attributes:
        scratch: Where they are.
        length: Rows of a step.
    """

    scratch: Scratch
    length: int
    _loaded: dict[int, tuple[int, Mapping[str, Any]]] = field(default_factory=dict)

    @property
    def parts(self) -> list[slice]:
        """Which rows are made and kept together."""
        return [slice(at, min(at + _ROWS, self.length)) for at in range(0, self.length, _ROWS)]

    def sizes(self, index: int) -> list[int]:
        """Return the bytes of each row of a step."""
        each = (sizes_of(self._part(index, number)) for number in range(len(self.parts)))
        return [size for sizes in each for size in sizes]

    def rows(self, index: int, some: slice) -> list[Row]:
        """Return some rows of a step."""
        return [
            row
            for number, part in enumerate(self.parts)
            if max(some.start, part.start) < min(some.stop, part.stop)
            for row in unpacked(self._part(index, number), _within(some, part))
        ]

    def absent(self, index: int) -> dict[str, slice]:
        """Return which parts of a step are not there, by the names they are to have."""
        named = {self._name(index, number): part for number, part in enumerate(self.parts)}
        return {name: part for name, part in named.items() if not self.scratch.has(name)}

    def _part(self, index: int, number: int) -> Mapping[str, Any]:
        """Return a part of a step; asked for in their order, each is read once."""
        if self._loaded.get(index, (None,))[0] != number:
            found = self.scratch.load(self._name(index, number), mapped=True)
            self._loaded[index] = number, found
        return self._loaded[index][1]

    def _name(self, index: int, number: int) -> str:
        """Return the name of a part of a step; the last one is there when all are."""
        behind = len(self.parts) - 1 - number
        return step_name(index) + (f".{behind}" if behind else "")


@dataclass(frozen=True)
class Steps:
    """What makes the rows of steps."""

    count: int
    wiring: Wiring
    settings: SpectraParams
    kept: Kept
    decompositions: Decompositions
    derived: DerivedSpectra

    def measure(self, index: int) -> None:
        """Finish a step, unless it is finished."""
        if absent := self.kept.absent(index):
            for needed in (max(index - 1, 0), self.count - 1, index):
                self.decompositions.measure(needed)
            with self.derived.at(index) as derived:
                for name, part in absent.items():
                    self.kept.scratch.save(name, packed(self._rows(index, part, derived)))
        if index > 0:
            self.decompositions.forget(index - 1)

    def _rows(self, index: int, part: slice, derived: RowsOf) -> Iterator[Row]:
        count = len(self.wiring.matrices)
        views = [matrix.view for matrix in self.wiring.matrices[part]]
        pairs = self.wiring.pairs[max(part.start - count, 0) : max(part.stop - count, 0)]
        of_matrices, of_pairs = derived(views, pairs)
        yield from self._with_more(views, self._rows_of(views, index), of_matrices)
        for pair, more in zip(pairs, of_pairs, strict=True):
            parts = self.decompositions.of(index, pair.views)
            yield alignment_row(pair, parts, self.settings.score_length) | more

    def _rows_of(self, views: Sequence[View], index: int) -> Mapping[View, Row]:
        tracked, rows = set(views), {}
        compared = (index, self.count - 1, max(index - 1, 0))
        for number in self.decompositions.numbers(views):
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


def _some(places: Sequence[int], length: int) -> list[Sequence[int]]:
    """Return places of spectra of a length in turns that have few values together."""
    count = max(_TOGETHER // length, 1)
    return [places[start : start + count] for start in range(0, len(places), count)]


def _within(some: slice, part: slice) -> slice:
    """Return which places of a part are in a slice, counted from its start."""
    ends = (min(max(end, part.start), part.stop) - part.start for end in (some.start, some.stop))
    return slice(*ends)


def step_name(index: int) -> str:
    """Return the name of what is kept of a finished step."""
    return f"step{index:06d}"


def _agreement(now: Decomposition, other: Decomposition) -> Tensor:
    """Return the diagonal of the agreement, shape (k,); NaN if one of the two is not defined."""
    return where_defined(singular_vector_agreement(now, other).diagonal(), now.S, other.S)
