"""Writing files whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from specflow.errors import SpecflowError


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
    part = path.with_name(path.name + ".part")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield part
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


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
