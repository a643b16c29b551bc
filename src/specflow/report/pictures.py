"""The figures as the page shows them: link, size, title."""

import os
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from specflow import paths
from specflow.errors import SpecflowError
from specflow.figures.index import FigureEntry


@dataclass(frozen=True)
class Picture:
    """One figure.

    Attributes:
        kind: What is drawn.
        subject: Of what; None means the whole project.
        title: Its title.
        note: What a reader must know beside the title; may be empty.
        source: Its file, relative to the page.
        width: In pixels, so that the page does not jump when it arrives.
        height: In pixels.
        anchor: Id of the place where the page shows it in full.
    """

    kind: str
    subject: str | None
    title: str
    note: str
    source: str
    width: int
    height: int
    anchor: str


def picture(entry: FigureEntry, folder: Path = paths.FIGURES, page: Path = paths.REPORT) -> Picture:
    """Return a figure as a page shows it.

    Args:
        entry: From the list of figures.
        folder: Where the figures lie.
        page: The page.

    Returns:
        The figure, with the size and the title that its file has.

    Raises:
        SpecflowError: If its file is missing, is no picture or has no title.
    """
    path = folder / entry.file
    try:
        with Image.open(path) as image:
            width, height, title = image.width, image.height, image.info["Title"]
    except FileNotFoundError as error:
        raise SpecflowError(f"there is no figure {path}; `dvc repro figures` draws it") from error
    except (UnidentifiedImageError, KeyError) as error:
        raise SpecflowError(
            f"{path} is no picture with a title; `dvc repro -f figures` draws it anew"
        ) from error
    return Picture(
        kind=entry.kind,
        subject=entry.subject,
        title=str(title),
        note=entry.note,
        source=os.path.relpath(path, page.parent).replace(os.sep, "/"),
        width=width,
        height=height,
        anchor=f"figure-{path.stem}",
    )
