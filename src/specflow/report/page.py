"""The page: its view model, and how it is written."""

from collections.abc import Sequence
from dataclasses import dataclass

from specflow import paths
from specflow.claims.scorecard import read_scorecard
from specflow.report.environment import environment
from specflow.report.evidence import GROUPS, group_of_kind
from specflow.report.pictures import Picture, picture
from specflow.report.sources import read_confidence, read_index
from specflow.report.subjects import Subject, Subjects, read_subjects
from specflow.report.verdicts import ABSENT, VERDICTS, ClaimSection, Row, claim_section, counts
from specflow.textfiles import write_text

OTHERS = "other-figures"


@dataclass(frozen=True)
class Page:
    """Everything that the template shows.

    Attributes:
        claims: Sections of claims, in the order of the scorecard.
        subjects: Sections of experiments, connections, tickets, samples and suites.
        pictures: All figures.
        confidence: Of all intervals, in (0, 1).
    """

    claims: tuple[ClaimSection, ...]
    subjects: Subjects
    pictures: tuple[Picture, ...]
    confidence: float

    def home_of(self, shown: Picture) -> str:
        """Return the id of the one section that shows a figure in full.

        It is the section of its subject, or else the first claim that it bears on.
        """
        subject = self.subjects.find(shown.subject, group_of_kind(shown.kind))
        if subject is not None:
            return subject.anchor
        bearing = (claim.anchor for claim in self.claims if shown in claim.pictures)
        return next(bearing, OTHERS)

    def shown_in(self, anchor: str) -> list[Picture]:
        """Return the figures that a section shows in full."""
        return [shown for shown in self.pictures if self.home_of(shown) == anchor]

    def elsewhere(self, section: ClaimSection | Subject) -> list[Picture]:
        """Return the figures that bear on a section and are shown in full in another one."""
        if isinstance(section, ClaimSection):
            bearing: Sequence[Picture] = section.pictures
        else:
            bearing = [p for p in self.pictures if _shows_ticket(p, section)]
        return [shown for shown in bearing if self.home_of(shown) != section.anchor]

    def results_of(self, subject: Subject) -> list[tuple[ClaimSection, Row]]:
        """Return every result on a subject, with its claim."""
        return [(claim, row) for claim in self.claims for row in claim.rows_of(subject)]

    def source_of(self, subject: Subject) -> Subject | None:
        """Return the experiment that a connection, a ticket or samples start from."""
        return self.subjects.find(subject.source, "experiments")

    def started_from(self, experiment: Subject) -> list[Subject]:
        """Return the connections, tickets and samples that start from an experiment."""
        return [one for one in self.subjects if self.source_of(one) == experiment]


def _shows_ticket(shown: Picture, subject: Subject) -> bool:
    """Return whether a figure of all tickets of an experiment has this one in it."""
    is_ticket = subject.group == "tickets"
    return is_ticket and shown.kind == "tickets" and shown.subject == subject.source


def read_page() -> Page:
    """Return the view model of the results.

    Raises:
        SpecflowError: If a result is missing or broken; a figure that is listed and not there is.
    """
    subjects = read_subjects()
    pictures = tuple(picture(entry) for entry in read_index())
    claims = read_scorecard(paths.CLAIMS).items()
    return Page(
        claims=tuple(claim_section(name, claim, subjects, pictures) for name, claim in claims),
        subjects=subjects,
        pictures=pictures,
        confidence=read_confidence(),
    )


def render(page: Page) -> str:
    """Return the page as HTML, the same text for the same results."""
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            page=page,
            counts=counts(page.claims),
            interval=f"{100 * page.confidence:g}% interval",
            groups=[(group, page.subjects.of_group(group)) for group in GROUPS],
            verdicts=VERDICTS,
            absent=ABSENT,
            others=OTHERS,
        )
    )


def write_report() -> None:
    """Write the page of all results.

    Raises:
        SpecflowError: If a result is missing or broken, or the page cannot be written.
    """
    write_text(paths.REPORT, render(read_page()))
