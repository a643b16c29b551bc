"""Files on web servers: ranges of bytes of one that stays what it was, or a small one whole."""

import re
from dataclasses import dataclass

import urllib3

from specflow.checkpoints.remote.http import (
    RefusedError,
    TryAgainError,
    answer,
    chunks,
    patiently,
)
from specflow.checkpoints.remote.places import Resource
from specflow.errors import SpecflowError, shown

_RANGE = re.compile(r"bytes ([0-9]+)-([0-9]+)/([0-9]+)")


@dataclass(frozen=True)
class State:
    """What tells that a file on a server is another one: its size, and what the server says."""

    size: int
    etag: str | None
    modified: str | None

    def may_be(self, other: "State") -> bool:
        """Return whether nothing tells two apart."""
        if None not in (self.etag, other.etag):
            return (self.size, self.etag) == (other.size, other.etag)
        times = {self.modified, other.modified} - {None}
        return self.size == other.size and len(times) <= 1


class RemoteFile:
    """A file of which ranges are read; where redirects led is kept for the next one.

    Attributes:
        place: What it is called in messages.
    """

    def __init__(self, resource: Resource, size: int | None = None) -> None:
        """Ask for nothing yet; `size` is what is published of it."""
        self.place = resource.place
        self._resource, self._published_size = resource, size
        self._led_to: Resource | None = None
        self._state: State | None = None

    @property
    def state(self) -> State:
        """What the server says of the file, once a part of it has been read."""
        assert self._state is not None, self.place
        return self._state

    def read(self, start: int, count: int) -> bytearray:
        """Return `count` bytes from `start` on; errors as for `read_into`."""
        found = bytearray(count)
        self.read_into(start, memoryview(found))
        return found

    def read_into(self, start: int, target: memoryview) -> None:
        """Fill bytes with those of the file from `start` on, by one request if all goes well.

        Raises:
            SpecflowError: If the file cannot be had, has changed since it was first read, or its
                server sends something else than was asked for.
        """
        got = 0

        def receive() -> None:
            nonlocal got
            first, last = start + got, start + len(target) - 1
            asked = self._led_to or self._resource
            try:
                with answer(asked, {"Range": f"bytes={first}-{last}"}) as (response, led_to):
                    self._check(response, first, last)
                    self._led_to = led_to
                    for chunk in chunks(self.place, response, len(target) - got):
                        target[got : got + len(chunk)] = chunk
                        got += len(chunk)
            except RefusedError as error:  # where redirects lead is there for a while only
                if asked is self._resource:
                    raise
                self._led_to = None
                raise TryAgainError("it has moved", pause=0) from error
            if got < len(target):
                raise TryAgainError(f"ended after {got} of {len(target)} bytes")

        patiently(self.place, receive, lambda: got)

    def _check(self, response: urllib3.BaseHTTPResponse, first: int, last: int) -> None:
        """Check that an answer is the part that was asked for, of the file that it was before.

        Raises:
            SpecflowError: If it is not.
        """
        headers, asked = response.headers, f"bytes {first} to {last}"
        if response.status == 200:
            problem = "the server sends whole files alone; expected one that knows ranges"
            raise SpecflowError(f"{self.place}: {problem}, or a copy on the disk")
        _check_encoding(self.place, response)
        said = _RANGE.fullmatch(headers.get("Content-Range", ""))
        if said is None or (int(said[1]), int(said[2])) != (first, last):
            got = headers.get("Content-Range")
            raise SpecflowError(f"{self.place}: asked for {asked}; got the range {shown(got)}")
        length = headers.get("Content-Length", str(last + 1 - first))
        if length != str(last + 1 - first):
            raise SpecflowError(f"{self.place}: asked for {asked}; got {shown(length)} bytes")
        now = State(int(said[3]), headers.get("ETag"), headers.get("Last-Modified"))
        if self._published_size not in (None, now.size):
            expected = f"expected the {self._published_size} that are published"
            raise SpecflowError(f"{self.place}: has {now.size} bytes; {expected}")
        if self._state is not None and not self._state.may_be(now):
            problem = "changed while it was read; expected a file that stays as it is"
            raise SpecflowError(f"{self.place}: {problem}")
        self._state = self._state or now


@dataclass(frozen=True)
class Whole:
    """A whole file, and the address of the next one that the server links to, if there is one."""

    content: bytes
    next_page: str | None


def fetch(resource: Resource, most: int) -> Whole:
    """Return a whole file of at most `most` bytes.

    Raises:
        AbsentError: If there is none.
        SpecflowError: If it cannot be had, or is larger.
    """
    content = bytearray()
    links: list[str] = []

    def receive() -> None:
        content.clear()
        with answer(resource, {}) as (response, _):
            _check_encoding(resource.place, response)
            length = response.length_remaining
            if length is None or length <= most:
                for chunk in chunks(resource.place, response, most + 1):
                    content.extend(chunk)
            if max(length or 0, len(content)) > most:
                raise SpecflowError(f"{resource.place}: more than {most} bytes; expected fewer")
            if length is not None and len(content) < length:
                raise TryAgainError(f"ended after {len(content)} of {length} bytes")
            links[:] = [response.headers.get("Link", "")]

    patiently(resource.place, receive, lambda: 0)
    following = re.search(r'<([^>]*)>\s*;\s*rel="?next"?', links[0])
    return Whole(bytes(content), following and following[1])


def _check_encoding(place: str, response: urllib3.BaseHTTPResponse) -> None:
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding != "identity":
        problem = f"is sent in the encoding {shown(encoding)}; expected its bytes as they are"
        raise SpecflowError(f"{place}: {problem}")
