"""The wiring of a network as data: its matrices in order of depth, and which are neighbours."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from specflow.matrices import Side
from specflow.wiring.view import Cut, View


@dataclass(frozen=True)
class Matrix:
    """A weight matrix that is tracked.

    Attributes:
        name: Unique name, an HDF5 path: a parameter's name, or what a file calls it.
        label: Name that a person can read, "block 1 MLP in".
        view: Where it lies.
        role: What it does: "embedding", "query", "MLP in", "conv", "output", ...; empty if unknown.
    """

    name: str
    label: str
    view: View
    role: str = ""

    @property
    def names(self) -> tuple[str, str]:
        """What patterns may call it: its name, and the same with the tensor's name in full.

        >>> Matrix("a:q", "a q", View("a.weight", (6, 2), (Cut(0, 0, 1, 3),))).names
        ('a:q', 'a.weight:q')
        """
        tensor = self.view.tensor
        stem = tensor if self.name.startswith(tensor) else tensor.removesuffix(".weight")
        return self.name, f"{tensor}{self.name.removeprefix(stem)}"

    def part(self, name: str, cut: Cut) -> "Matrix":
        """Return a part of this matrix, named and labelled after it."""
        separator = "." if self.view.cuts else ":"
        return Matrix(f"{self.name}{separator}{name}", f"{self.label} {name}", self.view.cut(cut))


@dataclass(frozen=True)
class Meeting:
    """Two views that meet, and the side of each whose singular vectors are compared.

    Attributes:
        previous: What writes.
        following: What reads.
        previous_side: "left" for its outputs; "right" for an embedding, whose rows are tokens.
        following_side: "right" for its inputs; "left" where outputs meet outputs (query and key).
        previous_part: The entries of its singular vectors that meet (a gate), None for all: a
            piece of a unit vector.
        following_part: Likewise (a direction).
    """

    previous: View
    following: View
    previous_side: Side = "left"
    following_side: Side = "right"
    previous_part: Cut | None = None
    following_part: Cut | None = None

    @property
    def kernel(self) -> tuple[int, ...] | None:
        """Kernel size if inputs of a convolution are met."""
        return self.following.kernel if self.following_side == "right" else None

    @property
    def share(self) -> float:
        """Share of the entries of the previous singular vectors that meet."""
        cut = self.previous_part
        return 1.0 if cut is None else (cut.stop - cut.start) / cut.total

    @property
    def lengths(self) -> tuple[int, int]:
        """Lengths of what meets, that of the previous view at all kernel positions."""
        written = _part(self.previous.length(self.previous_side), self.previous_part)
        read = _part(self.following.length(self.following_side), self.following_part)
        return written * math.prod(self.kernel or ()), read


def _part(length: int, cut: Cut | None) -> int:
    return length if cut is None else cut.shape_of((length,))[0]


@dataclass(frozen=True)
class Pair:
    """A pair of neighbours: one meeting, or several that are averaged (one for each head).

    Attributes:
        label: Name that a person can read, "previous -> following"; unique, an HDF5 path.
        meetings: What is compared; scores and diagonals are means over them.
    """

    label: str
    meetings: tuple[Meeting, ...]

    @property
    def fits(self) -> bool:
        """Whether all dimensions meet."""
        return all(written == read for written, read in (m.lengths for m in self.meetings))

    @property
    def views(self) -> list[View]:
        """Every view that meets, each once."""
        met = (view for m in self.meetings for view in (m.previous, m.following))
        return list(dict.fromkeys(met))


@dataclass(frozen=True)
class Wiring:
    """All tracked matrices of a network in order of depth, and all pairs of neighbours.

    Attributes:
        matrices: Every matrix, from the input to the output.
        pairs: Neighbours, in order of depth; all of them fit.
        skipped: Why a tensor, or a part of one, is not tracked, by its name.
        notes: What could not be declared for want of knowledge, or was taken for granted, a
            sentence each.
        analysed: What was found and what share of it is analysed, a sentence each.
    """

    matrices: tuple[Matrix, ...]
    pairs: tuple[Pair, ...]
    skipped: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    analysed: tuple[str, ...] = ()

    @property
    def views(self) -> list[View]:
        """Every view once: the tracked matrices, then parts that only pairs compare."""
        met = (view for pair in self.pairs for view in pair.views)
        return list(dict.fromkeys([*(matrix.view for matrix in self.matrices), *met]))

    @property
    def inner(self) -> tuple[Matrix, ...]:
        """All matrices but the output layer: what pruning, masks and perturbation change."""
        return tuple(matrix for matrix in self.matrices if matrix.role != "output")


def follow(
    previous: Matrix,
    following: Matrix,
    previous_side: Side = "left",
    following_side: Side = "right",
) -> Pair:
    """Return the pair of two whole matrices, named by their labels."""
    meeting = Meeting(previous.view, following.view, previous_side, following_side)
    return Pair(f"{previous.label} -> {following.label}", (meeting,))


def chain(matrices: Sequence[Matrix]) -> Wiring:
    """Return the wiring of a plain chain (MLP, VGG): each layer feeds the next."""
    return Wiring(tuple(matrices), tuple(follow(a, b) for a, b in pairwise(matrices)))
