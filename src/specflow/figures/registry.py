"""`@figure`: how a function becomes a kind of figure."""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args

from matplotlib.figure import Figure

from specflow import figures
from specflow.figures.index import FigureEntry
from specflow.figures.subjects import Of, Subject
from specflow.frames import Tables

Draw = Callable[[Figure, Tables, Subject], None]
When = Callable[[Tables, Subject], bool]


@dataclass(frozen=True)
class Kind:
    """A kind of figure.

    Attributes:
        draw: Draws one on an empty figure, whose height it sets.
        of: What has such a figure.
        title: What stands above one, followed by the name of its subject.
        caption: What a reader must know.
        over_seeds: What the caption adds of subjects that have seeds.
        of_many: What it adds of subjects with more matrices than there can be lines.
        claims: Claims that it bears on.
        when: Whether the tables have what it shows of a subject.
        order: Its place among the figures of a subject.
        folded: Whether a report shows it only when asked.
    """

    draw: Draw
    of: tuple[Of, ...]
    title: str
    caption: str
    over_seeds: str
    of_many: str
    claims: tuple[str, ...]
    when: When
    order: int
    folded: bool

    @property
    def place(self) -> tuple[int, str, int]:
        """What kinds are sorted by: whichever module was imported first, the order is the same."""
        return self.order, self.draw.__module__, self.draw.__code__.co_firstlineno

    def entry(self, subject: Subject, tables: Tables) -> FigureEntry:
        """Return what the index says of the figure of a subject."""
        kind, name = self.draw.__name__, subject.name
        caption = self.caption
        if self.over_seeds and subject.group != "checkpoints":
            caption += f" {self.over_seeds}"
        if self.of_many and subject.has_many(tables):
            caption += f" {self.of_many}"
        return FigureEntry(
            file=f"{kind}_{name}.png" if name else f"{kind}.png",
            kind=kind,
            of=subject.group,
            subject=name,
            shows=subject.shows,
            members=() if name or "project" in self.of else tuple(subject.member_names),
            title=f"{self.title}: {subject.title}" if name else self.title,
            caption=caption,
            claims=self.claims,
            folded=self.folded,
        )


_kinds: dict[str, Kind] = {}


def has_rows(table: str, **values: Any) -> When:
    """Return the condition that a table has rows of a subject, with values in other columns."""
    return lambda tables, subject: len(subject.rows(tables, table, **values)) > 0


def has_table(table: str) -> When:
    """Return the condition that there is a table, which not all results have, as `has_rows`."""
    return lambda tables, subject: table in tables and has_rows(table)(tables, subject)


def over_steps(table: str) -> When:
    """Return the condition that a table has rows of a subject, which are of several steps.

    A run is drawn whatever it has, so that all of them have the same figures.
    """

    def when(tables: Tables, subject: Subject) -> bool:
        rows = subject.rows(tables, table)
        return len(rows) > 0 and (subject.group != "checkpoints" or rows["step"].nunique() > 1)

    return when


def figure(
    *of: Of,
    title: str,
    caption: str,
    over_seeds: str = "",
    of_many: str = "",
    claims: tuple[str, ...] = (),
    when: When = lambda tables, subject: True,
    order: int = 9,
    folded: bool = False,
) -> Callable[[Draw], Draw]:
    """Make a function a kind of figure of its name; the arguments are what `Kind` says.

    docs/extending.md has an example.

    Raises:
        ValueError: If there is no such kind of subject, or none is named.
    """

    def register(draw: Draw) -> Draw:
        if not of or not set(of) <= set(get_args(Of)):
            expected = ", ".join(get_args(Of))
            raise ValueError(f"@figure of {draw.__name__}: got {of}; expected some of {expected}")
        _kinds[draw.__name__] = Kind(
            draw, of, title, caption, over_seeds, of_many, claims, when, order, folded
        )
        return draw

    return register


@cache
def kinds() -> Mapping[str, Kind]:
    """Return every kind of figure by its name, in the order in which a subject's are shown."""
    for module in pkgutil.iter_modules(figures.__path__):
        importlib.import_module(f"{figures.__name__}.{module.name}")
    return dict(sorted(_kinds.items(), key=lambda item: item[1].place))
