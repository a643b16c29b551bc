"""SHA256SUMS of a folder of tables: what each must be, as `sha256sum -c` reads it."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from specflow.textfiles import reading, written

SUMS = "SHA256SUMS"
_LINE = re.compile(rb"([0-9a-f]{64})  (.+)")


def note(path: Path) -> None:
    """Add a file that was written to the SHA256SUMS beside it; lines of others stay as they are.

    Raises:
        SpecflowError: If that cannot be read or written.
    """
    lines, name = _lines_of_others(path), path.name.encode()
    place = next((at for at, line in enumerate(lines) if _name_in(line) > name), len(lines))
    line = f"{digest_of(path)}  {path.name}".encode()
    _write(path.parent, [*lines[:place], line, *lines[place:]])


def remove_noted(path: Path) -> None:
    """Remove a file, and before that its line in the SHA256SUMS beside it.

    Raises:
        SpecflowError: If that cannot be read or written.
    """
    if path.name in noted_in(path.parent):
        _write(path.parent, _lines_of_others(path))
    path.unlink()


def noted_in(folder: Path) -> dict[str, str]:
    """Return the digests of the files in a folder that were noted, by name.

    Raises:
        SpecflowError: If its SHA256SUMS cannot be read.
    """
    found = [match for line in _lines(folder) if (match := _LINE.fullmatch(line))]
    return {match[2].decode(errors="replace"): match[1].decode() for match in found}


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file.

    Raises:
        SpecflowError: If it cannot be read.
    """
    with reading(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _lines_of_others(path: Path) -> list[bytes]:
    return [line for line in _lines(path.parent) if _name_in(line) != path.name.encode()]


def _lines(folder: Path) -> list[bytes]:
    path = folder / SUMS
    with reading(path):
        content = path.read_bytes() if path.exists() else b""
    return content.removesuffix(b"\n").split(b"\n") if content else []


def _name_in(line: bytes) -> bytes:
    """Return whose digest a line has; nothing if it is no line of a digest."""
    match = _LINE.fullmatch(line)
    return match[2] if match else b""


def _write(folder: Path, lines: Sequence[bytes]) -> None:
    """Write the SHA256SUMS of a folder, which has none without lines."""
    path = folder / SUMS
    if not lines:
        path.unlink()
        return
    with written(path) as part:
        part.write_bytes(b"".join(line + b"\n" for line in lines))
