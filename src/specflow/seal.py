"""A seal at the end of a file: a SHA-256 of all that comes before it.

Flipped and missing bytes are found when the file is read, not when they have become results.
Readers of HDF5 and of torch's zip files pass over what follows the end of theirs.
"""

import hashlib
from functools import cache
from io import BufferedRandom, FileIO
from pathlib import Path

_MARK = b"specflow"
_LENGTH = len(_MARK) + hashlib.sha256().digest_size
_BUFFER = 2**20


def seal(file: FileIO | BufferedRandom) -> str:
    """Append a seal to a file that is open for reading and writing; return what `seal_of` will."""
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256")
    file.write(_MARK + digest.digest())
    return digest.hexdigest()


def seal_of(path: Path) -> str:
    """Return the digest in the seal of a file, hexadecimal; "" without one, or without a file."""
    return _split(path)[1].hex() if path.exists() else ""


def fault_of(path: Path) -> str | None:
    """Return what is wrong with the bytes of a sealed file; None if they are those written."""
    length, expected = _split(path)
    if not expected:
        return "truncated, or not written by this version of specflow: it has no seal at its end"
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while length > 0 and (some := file.read(min(_BUFFER, length))):
            digest.update(some)
            length -= len(some)
    return None if digest.digest() == expected else "damaged: its bytes are not those written"


def first_fault_of(path: Path) -> str | None:
    """Return what `fault_of` does, reading a file that nothing writes once in a process."""
    state = path.stat()
    return _first_fault(path.absolute(), (state.st_size, state.st_mtime_ns, state.st_ino))


@cache
def _first_fault(path: Path, identity: tuple[int, ...]) -> str | None:
    return fault_of(path)


def _split(path: Path) -> tuple[int, bytes]:
    """Return how many bytes are sealed, and the digest of the seal, b"" where there is none."""
    with path.open("rb") as file:
        length = file.seek(0, 2) - _LENGTH
        file.seek(max(length, 0))
        end = file.read()
    whole = length >= 0 and end.startswith(_MARK)
    return length, end[len(_MARK) :] if whole else b""
