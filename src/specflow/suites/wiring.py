"""The wiring of a checkpoint made elsewhere as data: its matrices, and which are neighbours."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from specflow.params.suites import Side
from specflow.suites.matrices import SuiteMatrix


class SuiteMeeting(NamedTuple):
    """Two matrices that meet, by name, and the side of each whose singular vectors are compared.

    Attributes:
        previous: Name of the previous matrix, one of `SuiteWiring.views`.
        previous_side: Normally "left": its outputs.
        following: Name of the following matrix.
        following_side: Normally "right": its inputs.
        kernel: Kernel size, 1 to 3 entries, if inputs of a convolution are met; else None.
    """

    previous: str
    previous_side: Side
    following: str
    following_side: Side
    kernel: tuple[int, ...] | None


@dataclass(frozen=True)
class SuitePair:
    """A pair of neighbours: one meeting, or several that are averaged (one for each head).

    Attributes:
        label: Name that a person can read, "previous -> following"; unique, an HDF5 path.
        meetings: What is compared; scores and diagonals are means over them.
    """

    label: str
    meetings: tuple[SuiteMeeting, ...]


@dataclass(frozen=True)
class SuiteWiring:
    """All matrices of a checkpoint in order of depth, and all pairs of neighbours.

    Attributes:
        matrices: What is analysed.
        pairs: Neighbours, in order of depth.
        skipped: Why a tensor, or a part of one, is not analysed, by its name.
        parts: Parts of matrices (heads, gates) that are decomposed only because pairs compare them.
        notes: What could not be declared for want of knowledge, a sentence each.
    """

    matrices: tuple[SuiteMatrix, ...]
    pairs: tuple[SuitePair, ...]
    skipped: Mapping[str, str]
    parts: tuple[SuiteMatrix, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def views(self) -> Mapping[str, SuiteMatrix]:
        """Every matrix and part by name."""
        return {matrix.name: matrix for matrix in (*self.matrices, *self.parts)}
