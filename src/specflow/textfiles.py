"""Writing small text files whole or not at all."""

from pathlib import Path

from specflow.errors import SpecflowError


def write_text(path: Path, text: str) -> None:
    """Write a text file beside its place, in a new folder if need be, and move it there when whole.

    Raises:
        SpecflowError: If the file cannot be written; nothing is left behind then.
    """
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_text(text, encoding="utf-8")
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise SpecflowError(f"cannot write {path}: {error}; nothing was left there") from error
