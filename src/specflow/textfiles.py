"""Writing files whole or not at all, and errors that name them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from specflow.errors import SpecflowError

PART = ".part"  # what the name of a file ends in until it is whole


def write_text(path: Path, text: str) -> None:
    """Write a text file as `written` does.

    Raises:
        SpecflowError: If the file cannot be written; nothing is left behind then.
    """
    with written(path) as part:
        part.write_text(text, encoding="utf-8")


@contextmanager
def written(path: Path) -> Iterator[Path]:
    """Write a file beside its place, in a new folder if need be, and move it there when whole.

    Yields:
        Where to write it.

    Raises:
        SpecflowError: If the file cannot be written; nothing is left behind then, and what was
            there before stays.
    """
    part = path.with_name(path.name + PART)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield part
            publish(part, path)
        finally:
            part.unlink(missing_ok=True)


def publish(part: Path, path: Path) -> None:
    """Move a complete file to its place; a power failure after that leaves it there, and whole."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        with suppress(OSError):  # some file systems cannot
            os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Name the file in what goes wrong with reading it.

    Raises:
        SpecflowError: If the block raised OSError.
    """
    try:
        yield
    except OSError as error:
        raise SpecflowError(f"cannot read {path}: {error}") from error


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Name the file in what goes wrong with writing it.

    Raises:
        SpecflowError: If the block raised OSError.
    """
    try:
        yield
    except OSError as error:
        raise SpecflowError(f"cannot write {path}: {error}; no part of it was left") from error
