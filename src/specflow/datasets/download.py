"""Raw files of datasets: put below data/raw/ by hand, or downloaded; checked before any use."""

from pathlib import Path
from typing import BinaryIO, NamedTuple

import pooch
from filelock import FileLock
from requests import RequestException, Response
from tqdm import tqdm

from specflow import paths
from specflow.errors import SpecflowError

# Some servers answer 403 to the user agents that libraries send by default.
_HEADERS = {
    "User-Agent": "Mozilla/5.0 (compatible; specflow; research data)",
    "Accept-Encoding": "identity",
}
_TIMEOUT = 60  # seconds of silence
_CHUNK = 2**16  # bytes that are received at a time, and lost when a connection breaks


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


class _WrongBytesError(Exception):
    """A server that has another file, or a part that is not of this file."""


def fetch(file: RawFile, folder: Path | None = None) -> Path:
    """Return where a raw file lies, downloaded if it is not there yet; its checksum is verified.

    An interrupted download goes on where it ended, from any of the servers.

    Args:
        file: What it must be, and where it can be had.
        folder: Where it lies or goes; None means `paths.raw_data()`.

    Returns:
        The path of a file that has the expected checksum.

    Raises:
        SpecflowError: If the file has another checksum, cannot be had from any server, or cannot
            be written, with its place, what is expected there and where to get it.
    """
    path = (folder or paths.raw_data()) / file.name
    try:
        if path.is_file():
            _check(path, file)
        else:
            _download_once(file, path)
    except OSError as error:
        raise SpecflowError(f"{path}: {error}; expected {_expected(file)}") from error
    return path


def _check(path: Path, file: RawFile) -> None:
    found = pooch.file_hash(str(path), alg="sha256")
    if found != file.sha256:
        raise SpecflowError(
            f"{path}: SHA-256 is {found} ({_size(path)} bytes); expected {_expected(file)}. "
            "Remove it to have it downloaded, or put the right one there"
        )


def _expected(file: RawFile) -> str:
    return f"SHA-256 {file.sha256} ({file.size} bytes), to be had from {' or '.join(file.urls)}"


def _download_once(file: RawFile, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(path.name + ".lock")):
        if path.is_file():  # another process has downloaded it meanwhile
            _check(path, file)
        else:
            _download(file, path)


def _download(file: RawFile, path: Path) -> None:
    part = path.with_name(path.name + ".part")
    problems = []
    for url in file.urls:
        try:
            _complete(part, file, url)
        except (RequestException, _WrongBytesError) as error:
            problems.append(f"{url}: {error}")
        else:
            part.replace(path)
            return
    if not _size(part):
        part.unlink(missing_ok=True)
    raise SpecflowError(
        f"{path}: could not be downloaded ({'; '.join(problems)}). Put the file there by hand: "
        f"expected {_expected(file)}"
    )


def _complete(part: Path, file: RawFile, url: str) -> None:
    """Receive what is missing of the file; a part that turns out wrong is begun anew once.

    Raises:
        _WrongBytesError: If the server has another file; nothing is left of it.
    """
    resumed = _size(part) > 0
    try:
        if _size(part) < file.size:
            _receive_persistently(part, url)
        _check_part(part, file)
    except _WrongBytesError:
        part.unlink(missing_ok=True)
        if not resumed:
            raise
        _complete(part, file, url)


def _check_part(part: Path, file: RawFile) -> None:
    found = pooch.file_hash(str(part), alg="sha256")
    if found != file.sha256:
        raise _WrongBytesError(
            f"SHA-256 is {found} ({_size(part)} bytes); expected {file.sha256} ({file.size} bytes)"
        )


def _receive_persistently(part: Path, url: str) -> None:
    """Receive until the server has sent everything, as long as every connection brings some.

    Raises:
        RequestException: If one brings nothing.
    """
    while True:
        before = _size(part)
        try:
            with part.open("ab") as target:
                _receive(target, url)
        except RequestException:
            if _size(part) <= before:
                raise
        else:
            return


def _receive(target: BinaryIO, url: str) -> None:
    """Append what the server has beyond the end of the file, in one connection.

    Raises:
        _WrongBytesError: If the server has less than is there already.
    """
    offset = target.tell()

    def begin(response: Response, **_: object) -> None:
        # A .gz that is declared as an encoding would be unpacked on the way.
        response.raw.headers.pop("Content-Encoding", None)
        if response.status_code == 416:
            raise _WrongBytesError(f"the server has no more than the {offset} bytes that are here")
        if response.status_code == 206:
            _check_range(response, offset)
        elif response.ok:  # the whole file, since this server cannot resume
            target.truncate(0)

    headers = _HEADERS | ({"Range": f"bytes={offset}-"} if offset else {})
    with tqdm(desc=url, total=1, unit="B", unit_scale=True, disable=None) as progress:
        download = pooch.HTTPDownloader(
            progressbar=progress,  # told the total by the answer
            chunk_size=_CHUNK,
            headers=headers,
            timeout=_TIMEOUT,
            hooks={"response": begin},
        )
        download(url, target, None)


def _check_range(response: Response, offset: int) -> None:
    found = response.headers.get("Content-Range", "")
    if not found.startswith(f"bytes {offset}-"):
        raise _WrongBytesError(f"asked for bytes from {offset} on; got {found or 'no range'!r}")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
