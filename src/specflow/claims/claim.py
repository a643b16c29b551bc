"""`@claim`: a claim, its statistic, on which side of its threshold it holds, and its subjects.

One function makes a claim, in any file of this folder; its threshold is in params.yaml at
`claims.thresholds.<name of the function>`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from specflow.claims.measured import UNBOUNDED, Bounds, Measured
from specflow.frames import Tables

if TYPE_CHECKING:  # the section has a threshold for each claim
    from specflow.claims.section import JudgeSettings

Inequality = Literal["<", ">"]
Difference = Annotated[float, Field(ge=-1, le=1)]  # of two quantities in [0, 1]
# The order of the scorecard; files that are not named here follow by name.
_FILES = ("runs", "comparisons", "connections")


@dataclass(frozen=True)
class Subjects:
    """What a claim is judged on, one by one.

    Attributes:
        needs: What params.yaml must declare for there to be one.
        of: Returns them by name; a statistic is called with each.
    """

    needs: str
    of: "Callable[[Tables, JudgeSettings], Mapping[str, Any]]"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim and how it is judged.

    Attributes:
        text: The claim in words.
        statistic: What is computed, and over what units.
        holds: On which side of its thresholds it holds.
        threshold: Type of the threshold: a number in a range, or a section of several, one for
            each statistic.
        bounds: What each statistic can be at least and at most.
        subjects: What it is judged on.
        paper: What the paper reports, and where.
        measure: Returns the statistic of one subject by the tables.
    """

    text: str
    statistic: str
    holds: Inequality
    threshold: Any = float
    bounds: tuple[Bounds, ...] = (UNBOUNDED,)
    subjects: Subjects
    paper: str
    measure: Callable[[Tables, Any], Measured]

    @property
    def id(self) -> str:
        """Name of its function: its key in params.yaml and in the scorecard."""
        return self.measure.__name__


def claim(**described: Any) -> Callable[[Callable[[Tables, Any], Measured]], Claim]:
    """Put a claim, described by the attributes of `Claim`, in the place of what measures it."""
    return lambda measure: Claim(measure=measure, **described)


@cache
def all_claims() -> Mapping[str, Claim]:
    """Return the claims by id, in the order of the scorecard.

    No file is imported but those that make claims, so that all others may call this.
    """
    files = Path(__file__).parent.glob("*.py")
    makers = {file.stem for file in files if "\n@claim(" in file.read_text("utf-8")}
    claims: dict[str, Claim] = {}
    for name in [*_FILES, *sorted(makers.difference(_FILES))]:
        module = import_module(f"{__package__}.{name}")
        for made in vars(module).values():
            if isinstance(made, Claim) and made.measure.__module__ == module.__name__:
                assert made.id not in claims, f"two claims are called {made.id}"
                claims[made.id] = made
    return claims
