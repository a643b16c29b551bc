"""The figures as the page shows them: link, size, title."""

import os
import struct
from dataclasses import dataclass

from specflow import paths
from specflow.errors import SpecflowError
from specflow.figures.index import FigureEntry

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER = 24  # bytes: signature, length and name of the first chunk, width, height


@dataclass(frozen=True)
class Picture:
    """One figure.

    Attributes:
        kind: What is drawn.
        subject: Of what; None means the whole project.
        title: Its title.
        source: Its file, relative to the page.
        width: In pixels, so that the page does not jump when it arrives.
        height: In pixels.
        anchor: Id of the place where the page shows it in full.
    """

    kind: str
    subject: str | None
    title: str
    source: str
    width: int
    height: int
    anchor: str


def picture(entry: FigureEntry) -> Picture:
    """Return a figure as the page shows it.

    Raises:
        SpecflowError: If its file is missing or is no PNG.
    """
    path = paths.FIGURES / entry.file
    if not path.is_file():
        raise SpecflowError(f"there is no figure {path}; `dvc repro figures` draws it")
    with path.open("rb") as file:
        header = file.read(_HEADER)
    if len(header) < _HEADER or not header.startswith(_SIGNATURE):
        raise SpecflowError(f"{path} is no PNG file; `dvc repro -f figures` draws it anew")
    width, height = struct.unpack(">II", header[16:])
    return Picture(
        kind=entry.kind,
        subject=entry.subject,
        title=entry.title,
        source=os.path.relpath(path, paths.REPORT.parent).replace(os.sep, "/"),
        width=width,
        height=height,
        anchor=f"figure-{path.stem}",
    )
