"""The wiring of an architecture as data: which matrices it has and which of them are neighbours.

A `View` is a parameter, or a block of it, looked at as a matrix whose rows are outputs. A `Pair`
says which two views meet and on which side of each: normally the left singular vectors of the
previous matrix (its outputs) meet the right singular vectors of the following one (its inputs).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

Side = Literal["left", "right"]


@dataclass(frozen=True)
class Block:
    """The part number `index` of `count` equal consecutive parts of a dimension."""

    index: int
    count: int

    def __post_init__(self) -> None:
        """Refuse a part that does not exist.

        Raises:
            ValueError: If index is not in [0, count).
        """
        if not 0 <= self.index < self.count:
            raise ValueError(f"block {self.index} of {self.count}; expected 0 to {self.count - 1}")

    def slice_of(self, length: int) -> slice:
        """Return the slice of a dimension of `length` entries that this part covers.

        Raises:
            ValueError: If `count` does not divide `length`.
        """
        if length % self.count:
            raise ValueError(f"a dimension of {length} cannot be cut in {self.count} equal parts")
        size = length // self.count
        return slice(self.index * size, (self.index + 1) * size)


@dataclass(frozen=True)
class View:
    """A parameter, or a block of its rows and columns, as a matrix of shape (outputs, inputs).

    Attributes:
        parameter: Name in the state dict.
        transposed: True if the first dimension of the parameter is its inputs (transposed
            convolutions).
        rows: The block of output rows meant (a gate, one of q, k, v, a head); None means all.
        columns: The block of input columns meant (a direction); None means all.
    """

    parameter: str
    transposed: bool = False
    rows: Block | None = None
    columns: Block | None = None

    def __str__(self) -> str:
        parts = {"rows": self.rows, "columns": self.columns}
        blocks = [f"{k} {b.index + 1}/{b.count}" for k, b in parts.items() if b is not None]
        return " ".join([self.parameter, *blocks])


@dataclass(frozen=True)
class Matrix:
    """A weight matrix that is tracked: its view and a name that a person can read."""

    view: View
    label: str


@dataclass(frozen=True)
class Meeting:
    """Two views that meet, and the side of each whose singular vectors are compared."""

    previous: View
    following: View
    previous_side: Side = "left"
    following_side: Side = "right"


@dataclass(frozen=True)
class Pair:
    """A pair of neighbours: one meeting, or several that are averaged (one for each head).

    Attributes:
        label: Name that a person can read, "previous -> following"; also the key in tables.
        meetings: What is compared; scores and diagonals are means over them.
    """

    label: str
    meetings: tuple[Meeting, ...]


@dataclass(frozen=True)
class Wiring:
    """All tracked matrices of an architecture in order of depth, and all pairs of neighbours.

    Attributes:
        matrices: Every parameter with two or more dimensions, from the input to the output.
        pairs: Neighbours, in order of depth.
        last: Parameter name of the output layer, which pruning and masks leave alone.
    """

    matrices: tuple[Matrix, ...]
    pairs: tuple[Pair, ...]
    last: str

    @property
    def labels(self) -> Mapping[str, str]:
        """The readable name of every matrix, by parameter name."""
        return {matrix.view.parameter: matrix.label for matrix in self.matrices}

    @property
    def inner(self) -> tuple[str, ...]:
        """Parameter names of all matrices but the output layer's: what masks are on."""
        names = (matrix.view.parameter for matrix in self.matrices)
        return tuple(name for name in names if name != self.last)


def neighbours(previous: Matrix, following: Matrix) -> Pair:
    """Return the pair of two whole matrices that follow each other directly."""
    return Pair(f"{previous.label} -> {following.label}", (Meeting(previous.view, following.view),))


def chain(matrices: tuple[Matrix, ...]) -> Wiring:
    """Return the wiring of a plain chain (MLP, VGG): each layer feeds the next."""
    pairs = tuple(neighbours(a, b) for a, b in pairwise(matrices))
    return Wiring(matrices, pairs, last=matrices[-1].view.parameter)
