"""Which matrices meet: pairs of neighbours before they are written down by name."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from specflow.params.suites import Side
from specflow.suites.matrices import SuiteMatrix
from specflow.suites.wiring import SuiteMeeting, SuitePair


@dataclass(frozen=True)
class Meeting:
    """Two matrices that meet, and the side of each whose singular vectors are compared."""

    previous: SuiteMatrix
    following: SuiteMatrix
    previous_side: Side = "left"
    following_side: Side = "right"

    @property
    def kernel(self) -> tuple[int, ...] | None:
        """Kernel size if inputs of a convolution are met."""
        return self.following.kernel if self.following_side == "right" else None

    @property
    def lengths(self) -> tuple[int, int]:
        """Lengths of the singular vectors, those of the previous matrix at all kernel positions."""
        written = self.previous.length(self.previous_side) * math.prod(self.kernel or ())
        return written, self.following.length(self.following_side)


@dataclass(frozen=True)
class Neighbours:
    """A pair: one meeting, or several that are averaged."""

    label: str
    meetings: tuple[Meeting, ...]

    @property
    def fit(self) -> bool:
        """Whether all dimensions meet."""
        return all(written == read for written, read in (m.lengths for m in self.meetings))

    @property
    def matrices(self) -> Iterable[SuiteMatrix]:
        """All that meet."""
        return (m for meeting in self.meetings for m in (meeting.previous, meeting.following))

    def named(self) -> SuitePair:
        """Return the pair with names in place of matrices."""
        meetings = (
            SuiteMeeting(
                m.previous.name, m.previous_side, m.following.name, m.following_side, m.kernel
            )
            for m in self.meetings
        )
        return SuitePair(self.label, tuple(meetings))


def follow(
    previous: SuiteMatrix,
    following: SuiteMatrix,
    previous_side: Side = "left",
    following_side: Side = "right",
) -> Neighbours:
    """Return the pair of two matrices, named by their labels."""
    meeting = Meeting(previous, following, previous_side, following_side)
    return Neighbours(f"{previous.label} -> {following.label}", (meeting,))
