"""Claims as rows of the scorecard and sections of the page."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from specflow.claims.scorecard import Finding, JudgedClaim
from specflow.report.evidence import EVIDENCE, Evidence
from specflow.report.numbers import interval_of, number, value_of
from specflow.report.pictures import Picture
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
        interval: Its confidence interval.
        num_units: Number of units that the interval is over.
        unit: What these are.
        score: The second statistic of a claim with two conditions; empty if there is none.
        over_null: The statistic over its null level; empty if there is none.
        note: What else is to be said; may be empty.
    """

    name: str
    subject: Subject | None
    verdict: Verdict
    value: str
    interval: str
    num_units: int
    unit: str
    score: str
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
    claim: JudgedClaim
    rows: tuple[Row, ...]
    pictures: tuple[Picture, ...]

    @property
    def anchor(self) -> str:
        """Id of its section."""
        return f"claim-{self.id}"

    @property
    def columns(self) -> list[tuple[str, str]]:
        """Columns of the results that not every claim has, and what they are called."""
        columns = [("score", "score"), ("over_null", "over null level"), ("note", "note")]
        return [one for one in columns if any(getattr(row, one[0]) for row in self.rows)]

    def rows_of(self, subject: Subject) -> list[Row]:
        """Return the results on a subject."""
        return [row for row in self.rows if row.subject == subject]


def claim_section(
    claim_id: str, claim: JudgedClaim, subjects: Subjects, pictures: Sequence[Picture]
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
        _row(name, subjects.find(name, evidence.of), finding)
        for name, finding in claim.subjects.items()
    )
    return ClaimSection(claim_id, claim, rows, tuple(_bearing(evidence, rows, pictures)))


def counts(claims: Iterable[ClaimSection]) -> list[tuple[Verdict, int]]:
    """Return how many results have each verdict, and how many claims have no result."""
    claims = list(claims)
    counted = Counter(row.verdict for claim in claims for row in claim.rows)
    counted[ABSENT] = sum(not claim.rows for claim in claims)
    return [(verdict, counted[verdict]) for verdict in (*VERDICTS.values(), ABSENT)]


def _row(name: str, subject: Subject | None, finding: Finding) -> Row:
    score = finding.score
    return Row(
        name=name,
        subject=subject,
        verdict=VERDICTS[finding.verdict],
        value=value_of(finding),
        interval=interval_of(finding),
        num_units=finding.num_units,
        unit=finding.unit,
        score="" if score is None else f"{value_of(score)} {interval_of(score)}",
        over_null="" if finding.over_null is None else number(finding.over_null),
        note=finding.note or "",
    )


def _bearing(evidence: Evidence, rows: Sequence[Row], pictures: Sequence[Picture]) -> list[Picture]:
    """Return the figures of a claim's kinds: of the whole project, then of its subjects."""
    if not rows:
        return []
    names: set[str | None] = {None}
    for row in rows:
        names |= {row.subject.name, row.subject.source} if row.subject else {row.name}
    bearing = [
        picture
        for kind in evidence.kinds
        for picture in pictures
        if picture.kind == kind and picture.subject in names
    ]
    return sorted(bearing, key=lambda picture: picture.subject is not None)
