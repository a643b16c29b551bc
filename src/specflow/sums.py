"""SHA256SUMS of a folder: what specflow wrote into it, by which it knows its own files again."""

import hashlib
from pathlib import Path

from specflow.textfiles import write_text

SUMS = "SHA256SUMS"


def note(path: Path) -> None:
    """Add a file that was written to the SHA256SUMS beside it, as `sha256sum -c` reads it.

    Raises:
        SpecflowError: If that cannot be written.
    """
    sums = noted_in(path.parent) | {path.name: digest_of(path)}
    lines = [f"{digest}  {name}\n" for name, digest in sorted(sums.items())]
    write_text(path.parent / SUMS, "".join(lines))


def noted_in(folder: Path) -> dict[str, str]:
    """Return the digests of the files in a folder that were noted, by name."""
    path = folder / SUMS
    if not path.is_file():
        return {}
    lines = path.read_text("utf-8", errors="replace").splitlines()
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remove_noted(folder: Path) -> None:
    """Remove from a folder what was noted and is still as it was written; all else stays."""
    for name, digest in noted_in(folder).items():
        path = folder / name
        own = name == path.name and "\0" not in name and path.is_file()
        if own and digest_of(path) == digest:
            path.unlink()
    (folder / SUMS).unlink(missing_ok=True)
