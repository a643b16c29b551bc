"""A claim: its words, its statistic, on which side of its threshold it holds, its subjects.

One function makes a claim, in any file of this folder; its threshold is in params.yaml at
`claims.thresholds.<name of the function>`:

    @claim(
        text="late branches are connected",
        statistic="barrier at the last split over barrier at split 0, validation loss",
        holds="<",
        threshold=Positive,
        subjects=connections_with("within"),
        paper="branches that split late enough end without a barrier",
    )
    def late_split_connected(tables: Tables, connection: str) -> Measured: ...
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from specflow.claims.evidence import Evidence
from specflow.claims.measured import Measured
from specflow.frames import Tables
from specflow.section import Fraction, Section

Inequality = Literal["<", ">"]
Group = Literal["experiments", "connections", "tickets", "samples", "checkpoints"]
Correlation = Annotated[float, Field(ge=-1, le=1)]


class TwoThresholds(Section):
    """Boundaries of a claim with two conditions.

    Attributes:
        difference: Of its statistic, a difference of agreement scores.
        score: Of its second statistic, an agreement score.
    """

    difference: float
    score: Fraction


@dataclass(frozen=True)
class Subjects:
    """What a claim is judged on, one by one.

    Attributes:
        group: What their names are names of, where a name has more than one meaning.
        needs: What params.yaml must declare for there to be one.
        of: Returns them by name; a statistic is called with each.
    """

    group: Group
    needs: str
    of: Callable[[Evidence], Mapping[str, Any]]


@dataclass(frozen=True)
class Claim:
    """A claim and how it is judged.

    Attributes:
        text: The claim in words.
        statistic: What is computed, and over what units.
        holds: On which side of its threshold it holds.
        threshold: Type of the threshold, which says in what range it may lie.
        subjects: What it is judged on.
        paper: What the paper reports, and where.
        measure: Returns the statistic of one subject by the tables.
    """

    text: str
    statistic: str
    holds: Inequality
    threshold: Any
    subjects: Subjects
    paper: str
    measure: Callable[[Tables, Any], Measured]

    @property
    def id(self) -> str:
        """Name of its function: its key in params.yaml and in the scorecard."""
        return self.measure.__name__


def claim(
    *,
    text: str,
    statistic: str,
    holds: Inequality,
    threshold: Any = float,
    subjects: Subjects,
    paper: str,
) -> Callable[[Callable[[Tables, Any], Measured]], Claim]:
    """Make a claim of the function that measures its statistic.

    Args:
        text: The claim in words.
        statistic: What is computed, and over what units.
        holds: On which side of its threshold it holds.
        threshold: Type of the threshold: a number in a range, or two of them.
        subjects: What it is judged on.
        paper: What the paper reports, and where.

    Returns:
        A decorator; what it makes takes the place of the function.
    """
    return lambda measure: Claim(text, statistic, holds, threshold, subjects, paper, measure)
