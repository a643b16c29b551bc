"""The results as one view: what was run, what was claimed and drawn, and what belongs to what."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import get_args

import pandas as pd

from specflow.claims.scorecard import Finding, Scorecard, Verdict
from specflow.figures.index import FigureEntry
from specflow.report.pictures import Picture
from specflow.report.subjects import Subject

OTHERS = "other-figures"
SUMMARY = "found"
ABSENT = "not attempted"
# Kinds of which the first one there is stands on top of the page.
_EMBLEMS = ("schematic", "barrier_and_agreement")


@dataclass(frozen=True, eq=False)
class View:
    """All results, or those of one set of checkpoints alone.

    Attributes:
        subjects: What was run, in the order of the page.
        entries: All figures, in the order of their list.
        pictures: By a figure's file.
        claims: The scorecard; empty for checkpoints alone.
    """

    subjects: Sequence[Subject]
    entries: Sequence[FigureEntry]
    pictures: Mapping[str, Picture]
    claims: Scorecard

    @property
    def groups(self) -> dict[str, dict[str, Subject]]:
        """The subjects by name of each group that has some."""
        groups: dict[str, dict[str, Subject]] = {}
        for one in self.subjects:
            groups.setdefault(one.group, {})[one.name] = one
        return groups

    def overview(self, group: str) -> pd.DataFrame:
        """Return what a reader looks for first in the subjects of a group, by name."""
        subjects = self.groups[group]
        names = pd.Index([*subjects], name=group.removesuffix("s"))
        return pd.DataFrame([one.headline for one in subjects.values()], index=names)

    def find(self, name: str | None, of: str) -> Subject | None:
        """Return the subject of a name, looked up in the group `of` before the others.

        The name may be followed by a comma and what else singles something out.
        """
        named = [one for one in self.subjects if one.name == (name or "").partition(",")[0]]
        return min(named, key=lambda one: one.group != of, default=None)

    def subject_of(self, claim: str, name: str) -> Subject | None:
        """Return the subject of a claim's finding, of the group that the claim's figures show."""
        plain = name.partition(",")[0]
        shown = (one.of for one in self.entries if claim in one.claims and one.subject == plain)
        return self.find(name, next(shown, "experiments"))

    def bearing(self, claim: str) -> list[FigureEntry]:
        """Return the figures that bear on a claim: of the project, of its subjects kind by kind."""
        findings = self.claims[claim].subjects
        subjects = [self.subject_of(claim, name) for name in findings]
        about = [
            one
            for one in (self.entries if findings else ())
            if claim in one.claims
            and (one.subject is None or self.find(one.subject, one.of) in subjects)
        ]
        kinds = [one.kind for one in about]
        return sorted(about, key=lambda one: (one.subject is not None, kinds.index(one.kind)))

    @property
    def emblem(self) -> FigureEntry | None:
        """The figure that stands for all."""
        whole = {entry.kind: entry for entry in self.entries if entry.subject is None}
        return next((whole[kind] for kind in _EMBLEMS if kind in whole), None)

    @cached_property
    def homes(self) -> dict[str, list[FigureEntry]]:
        """The figures that each section shows in full, by its id; each figure is in one of them.

        That is the section of its subject, or else the first claim that it bears on; of the emblem
        it is the summary.
        """
        homes: dict[str, list[FigureEntry]] = {}
        for entry in self.entries:
            subject = self.find(entry.subject, entry.of)
            claims = (f"claim-{claim}" for claim in self.claims if entry in self.bearing(claim))
            home = subject.anchor if subject else next(claims, OTHERS)
            home = SUMMARY if entry is self.emblem else home
            homes.setdefault(home, []).append(entry)
        return homes

    def shown_in(self, anchor: str) -> list[FigureEntry]:
        """Return the figures that a section shows in full."""
        return self.homes.get(anchor, [])

    def elsewhere(self, claim: str) -> list[FigureEntry]:
        """Return the figures that bear on a claim and are shown in full in another section."""
        return [one for one in self.bearing(claim) if one not in self.shown_in(f"claim-{claim}")]

    def together(self, subject: Subject) -> list[FigureEntry]:
        """Return the figures of a subject's source that show it with all others of its group."""
        source = self.source_of(subject)
        shown = self.shown_in(source.anchor) if source else []
        return [one for one in shown if one.shows == subject.group]

    def findings_on(self, subject: Subject) -> list[tuple[str, str, Finding]]:
        """Return the id of every claim that was judged on a subject, on what of it, the finding."""
        return [
            (claim, name.partition(", ")[2], finding)
            for claim, judged in self.claims.items()
            for name, finding in judged.subjects.items()
            if self.subject_of(claim, name) is subject
        ]

    def shown_by(self, entry: FigureEntry) -> dict[str, list[Finding]]:
        """Return what was found on the subject of a figure of each claim that it bears on."""
        found = {
            claim: [
                finding
                for name, finding in self.claims[claim].subjects.items()
                if self._is_shown(self.subject_of(claim, name), entry)
            ]
            for claim in entry.claims
            if claim in self.claims
        }
        return {claim: findings for claim, findings in found.items() if findings}

    def _is_shown(self, subject: Subject | None, entry: FigureEntry) -> bool:
        if entry.subject is not None:
            return subject is self.find(entry.subject, entry.of)
        return not entry.members or (subject is not None and subject.name in entry.members)

    def source_of(self, subject: Subject) -> Subject | None:
        """Return the experiment that a connection, a ticket or samples start from."""
        return self.find(subject.source, "experiments")

    def started_from(self, experiment: Subject) -> list[Subject]:
        """Return the connections, tickets and samples that start from an experiment."""
        return [one for one in self.subjects if self.source_of(one) is experiment]

    def counts(self) -> dict[str, int]:
        """Return how many results have each verdict, and how many claims have no result."""
        findings = [one for claim in self.claims.values() for one in claim.subjects.values()]
        counted = Counter[str](finding.verdict for finding in findings)
        absent = sum(not claim.subjects for claim in self.claims.values())
        return {verdict: counted[verdict] for verdict in get_args(Verdict)} | {ABSENT: absent}
