"""Raw files of datasets: put below data/raw/ by hand or downloaded, checked, read as streams."""

import hashlib
import re
import tarfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import requests
from filelock import FileLock
from tqdm import tqdm
from urllib3.exceptions import HTTPError

from specflow import paths
from specflow.errors import SpecflowError

# Some servers answer 403 to the user agents that libraries send by default.
_HEADERS = {
    "User-Agent": "Mozilla/5.0 (compatible; specflow; research data)",
    "Accept-Encoding": "identity",
}
_TIMEOUT = 60  # seconds of silence
_SLOWEST = 2**10  # bytes a second of a connection that is not given up
_LEAST = 2**16  # bytes of a connection that breaks
_CHUNK = 2**16  # bytes that are received at a time, and lost when a connection breaks
_PACKING = (EOFError, tarfile.TarError, zipfile.BadZipFile, zlib.error)


class RawFile(NamedTuple):
    """A file that the project does not make.

    Attributes:
        name: Its name below the folder of raw files.
        size: Its size in bytes.
        sha256: Its SHA-256, hexadecimal.
        urls: Where it can be had, in the order to be tried.
    """

    name: str
    size: int
    sha256: str
    urls: tuple[str, ...]

    def __str__(self) -> str:
        return f"SHA-256 {self.sha256} ({self.size} bytes)"


class _WrongBytesError(Exception):
    """A server that has another file, or a part that is not of this file."""


class _TooSlowError(requests.Timeout):
    """A connection that brings next to nothing."""


def fetch(file: RawFile) -> Path:
    """Return where a raw file lies, its checksum verified; it is downloaded if it is not there yet.

    An interrupted download goes on where it ended, from any of the servers.

    Raises:
        SpecflowError: If the file has another checksum, cannot be had from any server, or cannot
            be written, with its place, what is expected there and where to get it.
    """
    path = paths.raw_data() / file.name
    expected = f"expected {file}, to be had from {' or '.join(file.urls)}"
    try:
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(path.with_name(path.name + ".lock")):
                if not path.is_file():  # or else another process has downloaded it meanwhile
                    _download(file, path, expected)
                    return path
        _check(path, file)
    except _WrongBytesError as error:
        raise SpecflowError(
            f"{path}: {error}; {expected}. Remove it to have it downloaded, or put the right one "
            "there"
        ) from error
    except OSError as error:
        raise SpecflowError(f"{path}: {error}; {expected}") from error
    return path


def _check(path: Path, file: RawFile) -> None:
    with path.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if found != file.sha256:
        raise _WrongBytesError(f"SHA-256 is {found} ({_size(path)} bytes)")


def _download(file: RawFile, path: Path, expected: str) -> None:
    part = path.with_name(path.name + ".part")
    problems = []
    for url in file.urls:
        try:
            _complete(part, file, url)
        except requests.RequestException as error:
            problems.append(f"{url}: {error}")
        except _WrongBytesError as error:
            problems.append(f"{url}: {error}; expected {file}")
        else:
            part.replace(path)
            return
    if not _size(part):
        part.unlink(missing_ok=True)
    raise SpecflowError(
        f"{path}: could not be downloaded ({'; '.join(problems)}). Put the file there by hand: "
        f"{expected}"
    )


def _complete(part: Path, file: RawFile, url: str) -> None:
    """Receive what is missing of the file; a part that turns out wrong is begun anew once.

    Connections may break as long as each brings some bytes, and not just a few.

    Raises:
        RequestException: If a connection brings next to nothing.
        _WrongBytesError: If the server has another file; nothing is left of it.
    """
    if part.is_symlink():
        part.unlink()  # what it leads to is none of ours
    start = _size(part)
    try:
        while (before := _size(part)) < file.size:
            try:
                _receive(part, url, file.size)
                break
            except requests.RequestException as error:
                if _size(part) < before + _LEAST or isinstance(error, _TooSlowError):
                    raise
        _check(part, file)
    except _WrongBytesError:
        part.unlink(missing_ok=True)
        if not start:
            raise
        _complete(part, file, url)


def _receive(part: Path, url: str, size: int) -> None:
    """Append what the server has beyond the end of a part, in one connection.

    Raises:
        RequestException: If the connection breaks.
        _TooSlowError: If it brings next to nothing.
        _WrongBytesError: If the server has less than is there already, or more than the file has.
    """
    offset = _size(part)
    headers = _HEADERS | ({"Range": f"bytes={offset}-"} if offset else {})
    with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
        if response.status_code == 416:
            raise _WrongBytesError(f"the server has no more than the {offset} bytes that are here")
        response.raise_for_status()
        resumed = response.status_code == 206
        found = response.headers.get("Content-Range", "")
        if resumed and not found.startswith(f"bytes {offset}-"):
            raise _WrongBytesError(f"asked for bytes from {offset} on; got {found or 'no range'!r}")
        # What has arrived, and as it is: a .gz that is declared as an encoding stays packed.
        arrived = partial(response.raw.read1, _CHUNK, decode_content=False)
        total = size - offset if resumed else size
        bar = tqdm(desc=url, total=total, unit="B", unit_scale=True, disable=None)
        with (
            bar,
            _broken_connections(),
            part.open("ab" if resumed else "wb") as target,
        ):  # else it cannot resume
            began, there = time.monotonic(), target.tell()
            for chunk in iter(arrived, b""):
                target.write(chunk)
                bar.update(len(chunk))
                if target.tell() > size:
                    raise _WrongBytesError(f"the server sends more than {size} bytes")
                seconds = time.monotonic() - began
                if seconds > _TIMEOUT:
                    if (target.tell() - there) / seconds < _SLOWEST:
                        raise _TooSlowError(f"less than {_SLOWEST} bytes a second")
                    began, there = time.monotonic(), target.tell()


@contextmanager
def _broken_connections() -> Iterator[None]:
    try:
        yield
    except HTTPError as error:
        raise requests.ConnectionError(error) from error


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


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
    """Read the members of a gzipped tar whose whole names match; nothing is extracted.

    Args:
        path: The archive; verify its checksum first.
        name: Regular expression of the name.
        limit: Greatest size of a member in bytes.

    Yields:
        The match of the name, and the content.

    Raises:
        SpecflowError: If the archive is damaged, or a member is no plain file or too large.
    """
    with unpacking(path), tarfile.open(path, "r|gz") as archive:
        for member in archive:
            if match := re.fullmatch(name, member.name):
                file = archive.extractfile(member) if member.isreg() else None
                if file is None:
                    raise SpecflowError(f"{path}: {member.name} is no plain file")
                if member.size > limit:
                    raise SpecflowError(
                        f"{path}: {member.name} has {member.size} bytes; expected at most {limit}"
                    )
                yield match, file.read()
