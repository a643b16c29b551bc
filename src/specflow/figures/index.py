"""Which figures there are: the one list of their files, and of what each shows."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import Field

from specflow.json_files import read_json_as, write_json
from specflow.section import Name, Section


class FigureEntry(Section):
    """One figure.

    Attributes:
        file: Name of its PNG file in the folder of figures: KIND_SUBJECT.png, or KIND.png.
        kind: What is drawn.
        of: What its subject is one of: experiments, connections, ..., or project.
        subject: Name of an experiment, a connection, ...; None means the whole project.
        shows: What it shows all of that starts from its subject (tickets, ...); None means that
            it shows the subject itself.
        members: Names of the experiments that one of the whole project shows; none means all.
        title: What stands above it.
        caption: What a reader must know to read it.
        claims: Claims that it bears on.
        folded: Whether a report shows it only when asked.
    """

    file: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*\.png$")]
    kind: Name
    of: Name
    subject: Name | None
    shows: Name | None = None
    members: Annotated[tuple[Name, ...], Field(strict=False)] = ()
    title: str
    caption: str
    claims: Annotated[tuple[Name, ...], Field(strict=False)] = ()
    folded: bool = False


class FigureIndex(Section):
    """The content of the file."""

    figures: Annotated[tuple[FigureEntry, ...], Field(strict=False)]


def write_index(path: Path, entries: Iterable[FigureEntry]) -> None:
    """Write the list of all figures as JSON, in the order in which they are to be shown.

    Raises:
        SpecflowError: If the file cannot be written.
    """
    write_json(path, FigureIndex(figures=tuple(entries)).model_dump(mode="json"))


def read_index(path: Path) -> tuple[FigureEntry, ...]:
    """Read what `write_index` wrote.

    Raises:
        BrokenFileError: If there is no such file, or it is damaged or of another version.
    """
    return read_json_as(FigureIndex, path, "figures").figures
