"""Answers of web servers: what breaks is tried again, for a while, and nothing else is taken."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import urllib3
from urllib3.exceptions import (
    HTTPError,
    InvalidHeader,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    SSLError,
    TimeoutError,
)
from urllib3.util import Retry, make_headers, parse_url

from specflow.checkpoints.remote.places import Resource, led_to, proxy_of
from specflow.errors import SpecflowError, one_line

MAX_REDIRECTS = 5
_GIVEN = (200, 206)
_REDIRECTS = (301, 302, 303, 307, 308)
_TRY_AGAIN = (429, 500, 502, 503, 504)
_ABSENT = (404, 410)
_LEAST = 2**16  # bytes of a connection that breaks and is not counted as a failed try
_CHUNK = 2**20  # bytes that are received at a time, at most
_HEADERS = {"User-Agent": "specflow", "Accept-Encoding": "identity"}


@dataclass(frozen=True)
class Patience:
    """How long a server is waited for.

    Attributes:
        tries: How often in a row a connection may bring next to nothing.
        pause: Seconds before the second try; doubled before each further one.
        longest: Seconds of the longest pause that a server may ask for.
        silence: Seconds without a byte after which a connection is given up.
        slowest: Bytes a second, over that time, under which it is given up.
    """

    tries: int = 5
    pause: float = 1
    longest: float = 300
    silence: float = 60
    slowest: float = 2**10


PATIENCE = Patience()


class RefusedError(SpecflowError):
    """A server does not give what was asked for, and will not if asked again."""


class AbsentError(RefusedError):
    """A server does not have what was asked for."""


class UnreachableError(SpecflowError):
    """A server was waited for in vain."""


class TryAgainError(Exception):
    """What may go better another time, at once or after a pause in seconds."""

    def __init__(self, problem: str, pause: float | None = None) -> None:
        """Say what went wrong; without a pause it is the usual one."""
        super().__init__(problem)
        self.pause = pause


@contextmanager
def answer(
    resource: Resource, headers: dict[str, str]
) -> Iterator[tuple[urllib3.BaseHTTPResponse, Resource]]:
    """Ask for a resource, once, and follow where the server leads.

    Yields:
        The answer, of status 200 or 206, its body not yet read; and the resource that gave it.

    Raises:
        SpecflowError: If it is refused, or leads to no end or to where no URL may lead.
        TryAgainError: If the server or the connection to it fails.
    """
    asked = resource
    for _ in range(MAX_REDIRECTS + 1):
        with _asked(asked, headers) as response:
            if response.status not in _REDIRECTS:
                _check_status(response, asked)
                yield response, asked
                return
            asked = led_to(response.headers.get("Location"), asked)
    raise SpecflowError(f"{resource.place}: more than {MAX_REDIRECTS} redirects; expected a file")


def chunks(place: str, response: urllib3.BaseHTTPResponse, most: int) -> Iterator[bytes]:
    """Yield the body of `place` as it arrives, `most` bytes of it; no more is received.

    Raises:
        SpecflowError: If the connection is not to be trusted.
        TryAgainError: If the connection breaks or brings next to nothing.
    """
    began, since, left = time.monotonic(), 0, most
    with _failing(place):
        while left and (chunk := response.read1(min(_CHUNK, left), decode_content=False)):
            yield chunk
            left, since = left - len(chunk), since + len(chunk)
            seconds = time.monotonic() - began
            if seconds > PATIENCE.silence:
                if since / seconds < PATIENCE.slowest:
                    raise TryAgainError(f"brings less than {PATIENCE.slowest} bytes a second")
                began, since = time.monotonic(), 0


def patiently(place: str, attempt: Callable[[], None], arrived: Callable[[], int]) -> None:
    """Call `attempt` until it ends well, with pauses; it goes on from the bytes that have arrived.

    Raises:
        UnreachableError: If it fails too often in a row, or is to wait too long.
    """
    failed = 0
    while True:
        before = arrived()
        try:
            return attempt()
        except TryAgainError as error:
            failed = 1 if arrived() >= before + _LEAST else failed + 1
            if failed >= PATIENCE.tries:
                raise UnreachableError(f"{place}: {error}; tried {failed} times") from error
            pause = PATIENCE.pause * 2 ** (failed - 1) if error.pause is None else error.pause
            if pause > PATIENCE.longest:
                waiting = f"it asks to wait {pause:.0f} s"
                raise UnreachableError(f"{place}: {error}; {waiting}") from error
            time.sleep(pause)


@contextmanager
def _asked(asked: Resource, headers: dict[str, str]) -> Iterator[urllib3.BaseHTTPResponse]:
    """Yield the answer to one request; the connection is kept if all of it is read."""
    sent = _HEADERS | headers
    if asked.token is not None:
        sent["Authorization"] = f"Bearer {asked.token}"
    with _failing(asked.place):
        response = _pool(proxy_of(asked)).urlopen(
            "GET",
            asked.url,
            headers=sent,
            redirect=False,
            retries=False,
            preload_content=False,
            timeout=PATIENCE.silence,
        )
    try:
        yield response
    finally:
        if response.status not in _GIVEN and (response.length_remaining or _LEAST) < _LEAST:
            response.drain_conn()  # a few words
        if response.length_remaining == 0:
            response.release_conn()
        else:
            response.close()


@contextmanager
def _failing(place: str) -> Iterator[None]:
    """Say what goes wrong with a connection in words that hold no URL.

    Raises:
        SpecflowError: If it would go wrong again.
        TryAgainError: If it may go better.
    """
    try:
        yield
    except SSLError as error:
        problem = f"the server's certificate is not valid ({one_line(error)})"
        raise SpecflowError(f"{place}: {problem}") from error
    except NameResolutionError as error:
        raise SpecflowError(f"{place}: the host has no address") from error
    except NewConnectionError as error:  # a kind of TimeoutError
        refused = isinstance(error.__cause__, ConnectionRefusedError)
        why = "connection refused" if refused else "the server cannot be reached"
        raise TryAgainError(why) from error
    except TimeoutError as error:
        raise TryAgainError(f"no answer within {PATIENCE.silence} seconds") from error
    except ProtocolError as error:
        raise TryAgainError("the connection broke") from error
    except HTTPError as error:
        kind = type(error).__name__
        raise SpecflowError(f"{place}: cannot be asked for ({kind})") from error


def _check_status(response: urllib3.BaseHTTPResponse, asked: Resource) -> None:
    status, place = response.status, asked.place
    if status in _GIVEN:
        return
    if status in _TRY_AGAIN:
        raise TryAgainError(f"the server answers {status}", _retry_after(response))
    if status == 401 and asked.token is None:
        needed = "not there, or for some alone; hf:// with HF_TOKEN set reads gated models"
        raise RefusedError(f"{place}: 401, {needed}")
    if status in (401, 403):
        raise RefusedError(f"{place}: {status}, access is denied to this login")
    if status in _ABSENT:
        raise AbsentError(f"{place}: {status}, there is no such file")
    if status == 416:
        raise SpecflowError(f"{place}: 416, it ends before the bytes that it is said to have")
    raise SpecflowError(f"{place}: the server answers {status}; expected a file")


def _retry_after(response: urllib3.BaseHTTPResponse) -> float | None:
    asked = response.headers.get("Retry-After")
    try:
        return None if asked is None else max(Retry().parse_retry_after(asked), 0)
    except (InvalidHeader, ValueError, OverflowError):
        return None


@cache
def _pool(proxy: str | None) -> urllib3.PoolManager:
    """Return the connections of this process; certificates are verified, and threads share it."""
    if proxy is None:
        return urllib3.PoolManager(cert_reqs="CERT_REQUIRED", maxsize=8)
    headers = make_headers(proxy_basic_auth=parse_url(proxy).auth)
    return urllib3.ProxyManager(proxy, proxy_headers=headers, cert_reqs="CERT_REQUIRED", maxsize=8)
