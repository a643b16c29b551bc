"""The scorecard as a file: what was found of every claim, subject by subject."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from specflow.errors import SpecflowError
from specflow.section import Section
from specflow.textfiles import write_text

Verdict = Literal["holds", "does not hold", "undecided"]


class Estimate(Section):
    """A statistic: its mean over units, and the interval around it; None where not defined."""

    value: float | None
    low: float | None
    high: float | None


class Finding(Estimate):
    """What was found of one claim on one subject.

    Attributes:
        num_units: How many units the value is the mean of.
        unit: What they are, in the plural.
        verdict: Of value and interval as they are written here, rounded.
        note: Why there is no interval, or it is not to be taken at its word, or what was left out.
        over_null: The value over its level among unrelated matrices.
        score: The second statistic of a claim with two conditions.
    """

    num_units: int
    unit: str
    verdict: Verdict
    note: str | None = None
    over_null: float | None = None
    score: Estimate | None = None


class JudgedClaim(Section):
    """One row of the scorecard.

    Attributes:
        claim: The claim in words.
        statistic: What was computed.
        holds_when: On which side of which boundary the whole interval must lie.
        subjects: Findings by experiment, connection or ticket.
        absent: What params.yaml would have to declare; only where there is no subject.
    """

    claim: str
    statistic: str
    holds_when: str
    subjects: dict[str, Finding]
    absent: str | None = None


Scorecard = Mapping[str, JudgedClaim]


def scorecard_text(scorecard: Scorecard) -> str:
    """Return a scorecard as JSON; optional keys are there only where they say something."""
    rows = {
        name: row.model_dump(mode="json", exclude_unset=True) for name, row in scorecard.items()
    }
    return json.dumps(rows, indent=2) + "\n"


def write_scorecard(path: Path, scorecard: Scorecard) -> None:
    """Write a scorecard as JSON.

    Args:
        path: Where to.
        scorecard: The rows by the id of the claim.

    Raises:
        SpecflowError: If the file cannot be written.
    """
    write_text(path, scorecard_text(scorecard))


def read_scorecard(path: Path) -> Scorecard:
    """Read what `write_scorecard` wrote.

    Args:
        path: The file.

    Returns:
        The rows by the id of the claim.

    Raises:
        SpecflowError: If there is no such file, or it is no scorecard of this version of specflow.
    """
    if not path.is_file():
        raise SpecflowError(f"there is no scorecard {path}; build it with: dvc repro judge")
    try:
        return TypeAdapter(dict[str, JudgedClaim]).validate_json(path.read_bytes())
    except ValidationError as error:
        raise SpecflowError(
            f"{path} is no scorecard of this version; `dvc repro -f judge` writes it anew: {error}"
        ) from error
