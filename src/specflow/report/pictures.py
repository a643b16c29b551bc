"""Pictures as a page has them: files beside it, or within it."""

import base64
import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image, UnidentifiedImageError

from specflow.errors import BrokenFileError, SpecflowError
from specflow.figures.index import FigureEntry

Source = Callable[[Path], str]  # what the page names a file by
MOST_BYTES = 12_000_000  # of a page with its pictures inside
_SHARE = 0.85  # of the bytes at most; the rest are for words and curves
_PALETTES = (256, 64, 16)  # colours of pictures within a page, tried until it is small enough


class Picture(NamedTuple):
    """A picture: what the page names it by, and its pixels, so that the page does not jump."""

    source: str
    width: int
    height: int


Pictures = dict[str, Picture]  # by file


def linked_from(page: Path) -> Source:
    """Return how a page names pictures that lie beside it."""
    return lambda path: os.path.relpath(path, page.parent).replace(os.sep, "/")


def pictures_of(entries: Sequence[FigureEntry], folder: Path, source: Source) -> Pictures:
    """Return the pictures of all entries in a folder.

    Raises:
        BrokenFileError: If a file is missing or is no picture.
    """
    pictures = {}
    for path in (folder / entry.file for entry in entries):
        try:
            with Image.open(path) as image:
                pictures[path.name] = Picture(source(path), *image.size)
        except FileNotFoundError as error:
            raise BrokenFileError(path, "there is no such figure", "figures") from error
        except UnidentifiedImageError as error:
            raise BrokenFileError(path, "is no picture", "figures") from error
    return pictures


def embedded(
    entries: Sequence[FigureEntry],
    folder: Path,
    most_bytes: int = int(_SHARE * MOST_BYTES),
    *,
    exact: bool = False,
) -> Pictures:
    """Return pictures that are part of the page, with as many colours as the bytes allow.

    Args:
        entries: Their figures.
        folder: Where the files are.
        most_bytes: Of all pictures together.
        exact: Whether files are taken as they are, with all colours, if the bytes allow that.

    Raises:
        SpecflowError: If a file is missing or is no picture, or there are too many for a page.
    """
    for source in (*([_whole] if exact else []), *map(_in_colours, _PALETTES)):
        pictures = pictures_of(entries, folder, source)
        size = sum(len(picture.source) for picture in pictures.values())
        if size <= most_bytes:
            return pictures
    raise SpecflowError(
        f"the {len(entries)} figures in {folder} take {size / 1e6:.1f} MB with {_PALETTES[-1]} "
        f"colours; expected {most_bytes / 1e6:.1f} MB at most: set figures.dpi lower"
    )


def _whole(path: Path) -> str:
    return _png(path.read_bytes())


def _in_colours(colours: int) -> Source:
    """Return how a page has a picture within it, with these colours at most."""

    def source(path: Path) -> str:
        with Image.open(path) as image, io.BytesIO() as file:
            flat = Image.new("RGB", image.size, "white")
            flat.paste(image, mask=image.getchannel("A") if image.mode == "RGBA" else None)
            few = flat.quantize(colours, dither=Image.Dither.NONE)
            few.save(file, "PNG", optimize=True)
            return _png(file.getvalue())

    return source


def _png(content: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"
