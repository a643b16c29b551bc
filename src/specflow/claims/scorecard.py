"""The scorecard: what was found of every claim, subject by subject; as a file and as a table."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from specflow.json_files import read_json_as, write_json
from specflow.section import Section

Verdict = Literal["holds", "does not hold", "undecided"]
MARKS: dict[Verdict, str] = {"holds": "✓", "does not hold": "✗", "undecided": "?"}
_HEADER = "| claim | statistic (units) | holds when | verdicts | subject: value [interval] |"


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
        verdict: What was found.
        p: Of the test, adjusted for as many as the claim has subjects; None without a test.
        needed: How many units that vary as these would decide, where these do not; None if it is
            not known, or more than a thousand.
        note: Why there is no verdict.
        over_null: The value over its level among unrelated matrices.
        also: Further statistics of a claim with several conditions, by their names.
    """

    num_units: int
    unit: str
    verdict: Verdict
    p: float | None = None
    needed: int | None = None
    note: str | None = None
    over_null: float | None = None
    also: dict[str, Estimate] | None = None


class JudgedClaim(Section):
    """One row of the scorecard.

    Attributes:
        claim: The claim in words.
        statistic: What was computed.
        holds_when: On which side of which boundary it must lie beyond doubt.
        paper: What the paper reports.
        subjects: Findings by experiment, connection or ticket.
        absent: What params.yaml would have to declare; only where there is no subject.
    """

    claim: str
    statistic: str
    holds_when: str
    paper: str
    subjects: dict[str, Finding]
    absent: str | None = None

    @property
    def counts(self) -> Mapping[Verdict, int]:
        """Of how many subjects each verdict is."""
        return Counter(finding.verdict for finding in self.subjects.values())


Scorecard = Mapping[str, JudgedClaim]


def write_scorecard(path: Path, scorecard: Scorecard) -> None:
    """Write a scorecard as JSON; optional keys are there only where they say something.

    Raises:
        SpecflowError: If the file cannot be written.
    """
    rows = {name: row.model_dump(exclude_defaults=True) for name, row in scorecard.items()}
    write_json(path, rows)


def read_scorecard(path: Path) -> Scorecard:
    """Read what `write_scorecard` wrote, by the id of the claim.

    Raises:
        BrokenFileError: If there is no such file, or it is damaged or of another version.
    """
    return read_json_as(dict[str, JudgedClaim], path, "judge")


def markdown(scorecard: Scorecard) -> str:
    """Return a scorecard as a Markdown table, a row a claim.

    Of every claim it has how many subjects it holds for (✓), does not hold for (✗) and is undecided
    for (?), then the subjects one by one.
    """
    lines = [_HEADER, "|" + " --- |" * 5, *map(_row, scorecard.values())]
    return "\n".join(lines) + "\n"


def _row(row: JudgedClaim) -> str:
    counts = row.counts
    verdicts = ", ".join(
        f"{counts[verdict]} {MARKS[verdict]}" for verdict in MARKS if counts[verdict]
    )
    units = " or ".join(dict.fromkeys(finding.unit for finding in row.subjects.values()))
    cells = [
        row.claim,
        f"{row.statistic} ({units})" if units else row.statistic,
        row.holds_when,
        verdicts or "not attempted",
        "<br>".join(_cell(*item) for item in row.subjects.items()) or row.absent or "",
    ]
    return f"| {' | '.join(cells)} |"


def _cell(subject: str, finding: Finding) -> str:
    parts = [f"{subject}:", _number(finding.value)]
    if finding.low is not None:
        parts.append(f"[{_number(finding.low)}, {_number(finding.high)}]")
    if finding.over_null is not None:
        parts.append(f"({_number(finding.over_null)} x null)")
    parts += [f"({name} {_number(one.value)})" for name, one in (finding.also or {}).items()]
    if finding.needed is not None:
        parts.append(f"(about {finding.needed} {finding.unit} would decide)")
    return " ".join([*parts, MARKS[finding.verdict]])


def _number(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.3g}"
