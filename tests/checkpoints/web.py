"""A web server on this machine that knows ranges, and breaks on demand."""

import re
import time
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Web(ThreadingHTTPServer):
    """Serves `files`; the next requests meet `faults`, one each, a None being none.

    `sent` are the bytes of all that was given, `asked` path, range and headers of all requests.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.faults: deque[Callable[[Handler], None] | None] = deque()
        self.sent = 0
        self.asked: list[tuple[str, tuple[int, int] | None, dict[str, str]]] = []
        self.stamp = ""  # of all files, beside their contents

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, address) -> None:
        """Say nothing: nobody waits for more."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # which waits 40 ms between headers and body
    server: Web

    def do_GET(self) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        self.asked = None if asked is None else (int(asked[1]), int(asked[2]))
        self.server.asked.append((self.path, self.asked, dict(self.headers)))
        fault = self.server.faults.popleft() if self.server.faults else None
        if fault is not None:
            fault(self)
        elif self.content is None:
            self.answer(404, b"no such file", {})
        else:
            self.answer(*self.part())

    @property
    def content(self) -> bytes | None:
        return self.server.files.get(self.path.partition("?")[0])

    def part(self) -> tuple[int, bytes, dict[str, str]]:
        content = self.content or b""
        digest = f"{hash(content)}{self.server.stamp}"  # which bytes keep
        if self.asked is None:
            return 200, content, {"ETag": f'"{digest}"'}
        start, last = self.asked[0], min(self.asked[1], len(content) - 1)
        if start >= len(content):
            return 416, b"", {"Content-Range": f"bytes */{len(content)}"}
        said = f"bytes {start}-{last}/{len(content)}"
        return 206, content[start : last + 1], {"Content-Range": said, "ETag": f'"{digest}"'}

    def answer(self, status: int, body: bytes, headers: dict[str, str], after=None) -> None:
        """Send it; of the body `after` bytes, and then no more."""
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if status in (200, 206):  # counted before anybody can have received them
            self.server.sent += len(body[:after])
        self.wfile.write(body[:after])
        if after is not None:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def answers(status: int, body: bytes = b"", **headers: str) -> Callable[[Handler], None]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler: handler.answer(status, body, named)


def redirects(url: str) -> Callable[[Handler], None]:
    return answers(302, b"over there", Location=url)


def changed(status: int | None = None, **headers: str) -> Callable[[Handler], None]:
    """The right answer, but for its status or headers."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    def fault(handler: Handler) -> None:
        usual, body, own = handler.part()
        handler.answer(status or usual, body, own | named)

    return fault


def cut(after: int) -> Callable[[Handler], None]:
    return lambda handler: handler.answer(*handler.part(), after=after)


def hangs_up(handler: Handler) -> None:
    handler.close_connection = True


def ignores_ranges(handler: Handler) -> None:
    handler.asked = None
    handler.answer(*handler.part())


def silent(seconds: float) -> Callable[[Handler], None]:
    def fault(handler: Handler) -> None:
        time.sleep(seconds)
        handler.close_connection = True

    return fault


def drips(handler: Handler) -> None:
    _, body, headers = handler.part()
    handler.send_response(206)
    for name, value in (headers | {"Content-Length": str(len(body))}).items():
        handler.send_header(name, value)
    handler.end_headers()
    for place in range(len(body)):
        handler.wfile.write(body[place : place + 1])
        time.sleep(0.02)
