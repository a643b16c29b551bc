"""Claims as rows of the scorecard and sections of the page."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from specflow.report.evidence import EVIDENCE, Evidence
from specflow.report.numbers import interval_of, number, value_of
from specflow.report.pictures import Picture
from specflow.report.sources import Claim, Result
from specflow.report.subjects import Subject, Subjects


@dataclass(frozen=True)
class Verdict:
    """How a verdict is shown, so that it can be told without colour.

    Attributes:
        word: In words.
        symbol: As one character.
        style: Class of the style sheet.
    """

    word: str
    symbol: str
    style: str


VERDICTS = {
    "holds": Verdict("holds", "\N{CHECK MARK}", "holds"),
    "does not hold": Verdict("does not hold", "\N{BALLOT X}", "fails"),
    "undecided": Verdict("undecided", "?", "undecided"),
}
ABSENT = Verdict("not measured", "\N{WHITE CIRCLE}", "absent")


@dataclass(frozen=True)
class Row:
    """A claim on one subject.

    Attributes:
        name: Name of the subject.
        subject: Its section, if the page has one.
        verdict: Whether the claim holds on it.
        value: The statistic.
        interval: Its 95% interval.
        num_units: Number of units that the interval is over.
        unit: What these are.
        over_null: The statistic over its null level; empty if there is none.
        note: What else is to be said.
    """

    name: str
    subject: Subject | None
    verdict: Verdict
    value: str
    interval: str
    num_units: int
    unit: str
    over_null: str
    note: str


@dataclass(frozen=True)
class ClaimSection:
    """A claim, its results and the figures that bear on it.

    Attributes:
        id: Its id.
        claim: The claim as it was read.
        rows: Its results.
        pictures: All figures that bear on it.
    """

    id: str
    claim: Claim
    rows: tuple[Row, ...]
    pictures: tuple[Picture, ...]

    @property
    def anchor(self) -> str:
        """Id of its section."""
        return f"claim-{self.id}"

    @property
    def has_over_null(self) -> bool:
        """Whether some result is compared with its null level."""
        return any(row.over_null for row in self.rows)

    @property
    def has_notes(self) -> bool:
        """Whether there is more to be said of some result."""
        return any(row.note for row in self.rows)

    def row_of(self, subject: Subject) -> Row | None:
        """Return the result on a subject; None if there is none."""
        return next((row for row in self.rows if row.subject == subject), None)


def claim_section(
    claim_id: str, claim: Claim, subjects: Subjects, pictures: Sequence[Picture]
) -> ClaimSection:
    """Return a claim with its results and figures.

    Args:
        claim_id: Its id.
        claim: What the runs say to it.
        subjects: All sections of the page.
        pictures: All figures.
    """
    evidence = EVIDENCE.get(claim_id, Evidence())
    rows = tuple(
        _row(name, subjects.find(name, evidence.of), result)
        for name, result in claim.subjects.items()
    )
    return ClaimSection(claim_id, claim, rows, tuple(_bearing(evidence, rows, pictures)))


def counts(claims: Iterable[ClaimSection]) -> list[tuple[Verdict, int]]:
    """Return how many results have each verdict, and how many claims have no result."""
    claims = list(claims)
    counted = Counter(row.verdict for claim in claims for row in claim.rows)
    counted[ABSENT] = sum(not claim.rows for claim in claims)
    return [(verdict, counted[verdict]) for verdict in (*VERDICTS.values(), ABSENT)]


def _row(name: str, subject: Subject | None, result: Result) -> Row:
    return Row(
        name=name,
        subject=subject,
        verdict=VERDICTS[result.verdict],
        value=value_of(result),
        interval=interval_of(result),
        num_units=result.num_units,
        unit=result.unit,
        over_null="" if result.over_null is None else number(result.over_null),
        note=result.note,
    )


def _bearing(evidence: Evidence, rows: Sequence[Row], pictures: Sequence[Picture]) -> list[Picture]:
    """Return the figures of a claim's kinds: of the whole project, then of its subjects."""
    if not rows:
        return []
    names: set[str | None] = {None}
    for row in rows:
        names |= {row.name} | ({row.subject.source} if row.subject else set())
    bearing = [
        picture
        for kind in evidence.kinds
        for picture in pictures
        if picture.kind == kind and picture.subject in names
    ]
    return sorted(bearing, key=lambda picture: picture.subject is not None)
