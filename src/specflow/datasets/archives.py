"""Packed files read as streams: nothing is extracted, and no member is larger than expected."""

import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from specflow.errors import SpecflowError

_PACKING = (EOFError, tarfile.TarError, zipfile.BadZipFile, zlib.error)


@contextmanager
def unpacking(name: str | Path) -> Iterator[None]:
    """Name what is read in what goes wrong with reading it.

    Raises:
        SpecflowError: If the block found it missing, damaged, or not in the expected encoding.
    """
    try:
        yield
    except (OSError, UnicodeDecodeError, *_PACKING) as error:
        raise SpecflowError(f"{name}: cannot be read: {error}") from error


def read_members(path: Path, name: str, limit: int) -> Iterator[tuple[re.Match[str], bytes]]:
    """Read the members of a gzipped tar whose names match.

    Args:
        path: The archive; verify its checksum first.
        name: Regular expression of the whole name.
        limit: Greatest size of a member in bytes.

    Yields:
        The match of the name, and the content.

    Raises:
        SpecflowError: If the archive is damaged, or a member is no plain file or too large.
    """
    with unpacking(path), tarfile.open(path, "r|gz") as archive:
        for member in archive:
            if match := re.fullmatch(name, member.name):
                yield match, _content(archive, member, f"{path}: {member.name}", limit)


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo, name: str, limit: int) -> bytes:
    file = archive.extractfile(member) if member.isreg() else None
    if file is None:
        raise SpecflowError(f"{name} is no plain file")
    if member.size > limit:
        raise SpecflowError(f"{name} has {member.size} bytes; expected at most {limit}")
    return file.read()
