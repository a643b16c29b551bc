"""Experiments, connections, tickets, samples and suites as sections of the page."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from specflow import paths
from specflow.report.evidence import GROUPS, Group, order_of_groups
from specflow.report.metrics import MetricTable, tables_of
from specflow.report.parameters import Parameters, headline, parameters_of
from specflow.report.sources import (
    Metrics,
    read_config_of,
    read_declared,
    read_flags,
    read_summary,
)
from specflow.suite_results import Flag


@dataclass(frozen=True)
class Subject:
    """One experiment, connection, ticket, set of samples or suite.

    Attributes:
        group: Which of these it is.
        name: Its name.
        headline: What a reader looks for first, by what it is called.
        parameters: Its whole resolved config.
        tables: Its final metrics.
        source: Name of the experiment that it starts from; None for an experiment or a suite.
        flags: What the audit of a suite found wrong; None for anything else.
    """

    group: Group
    name: str
    headline: Mapping[str, str]
    parameters: tuple[Parameters, ...]
    tables: tuple[MetricTable, ...]
    source: str | None
    flags: tuple[Flag, ...] | None

    @property
    def anchor(self) -> str:
        """Id of its section."""
        return f"{self.group.removesuffix('s')}-{self.name}"


class Subjects:
    """All sections of the page, by group and name."""

    def __init__(self, subjects: Iterator[Subject]) -> None:
        """Take the sections in the order of the page."""
        self._by_key = {(subject.group, subject.name): subject for subject in subjects}

    def __iter__(self) -> Iterator[Subject]:
        return iter(self._by_key.values())

    def of_group(self, group: Group) -> list[Subject]:
        """Return the sections of a group."""
        return [subject for subject in self if subject.group == group]

    def find(self, name: str | None, first: Group) -> Subject | None:
        """Return the section of a name, looked up in one group before the others; None if none.

        Args:
            name: A name, or a name with what else singles something out after a comma.
            first: Where to look first.
        """
        keys = ((group, (name or "").partition(",")[0]) for group in order_of_groups(first))
        return next((self._by_key[key] for key in keys if key in self._by_key), None)


def read_subjects() -> Subjects:
    """Return everything that was run, with its config and final metrics.

    Raises:
        SpecflowError: If a config or the metrics are missing or broken.
    """
    declared, summary = read_declared(), read_summary()
    flags = read_flags(paths.TABLES / "suite_audit.csv") if declared.suites else {}
    return Subjects(
        _subject(group, name, summary.get(group, {}).get(name), flags.get(name, []))
        for group in GROUPS
        for name in getattr(declared, group)
    )


def _subject(group: Group, name: str, metrics: Metrics | None, flags: Sequence[Flag]) -> Subject:
    config = read_config_of(group, name)
    sources = (part.get("experiment") for part in config.values())
    parameters = parameters_of(config)
    return Subject(
        group=group,
        name=name,
        headline=headline(group, parameters),
        parameters=tuple(parameters),
        tables=tuple(tables_of(metrics)) if metrics else (),
        source=None if group == "experiments" else next(filter(None, sources), None),
        flags=tuple(flags) if group == "suites" else None,
    )
