"""Files of specflow that others have changed."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from specflow.seal import seal, seal_of
from specflow.sums import SUMS

LENGTH = 40  # bytes of a seal


@contextmanager
def edited(path: Path) -> Iterator[h5py.File]:
    """Yield an HDF5 file to be changed by hand; it is sealed again after that."""
    assert seal_of(path)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - LENGTH)
    with h5py.File(path, "r+") as file:
        yield file
    with path.open("r+b") as file:
        seal(file)


def sealed(path: Path, content: bytes) -> None:
    """Write a sealed file over one that may be there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w+b") as file:
        file.write(content)
        seal(file)


def write_csv(path: Path, text: str) -> None:
    """Write the text of a table, as if specflow had."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    with (path.parent / SUMS).open("a") as file:
        file.write(f"{hashlib.sha256(text.encode()).hexdigest()}  {path.name}\n")


def flipped(content: bytes, place: int, bit: int = 0) -> bytes:
    """Return bytes of which one bit is another."""
    return content[:place] + bytes([content[place] ^ (1 << bit)]) + content[place + 1 :]


def damage_in_place(path: Path, place: int) -> None:
    """Flip a bit as a disk does: nothing else of the file tells of it."""
    state, content = path.stat(), path.read_bytes()
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.write(flipped(content, place))
    path.chmod(state.st_mode)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
