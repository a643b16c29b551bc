import hashlib
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from specflow import paths
from specflow.datasets import raw_files
from specflow.datasets.raw_files import RawFile, fetch
from specflow.errors import SpecflowError

CONTENT = np.random.default_rng(0).bytes(500_000)
OTHER = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Sends `content` from this machine, and keeps what it was asked.

    `break_after` bytes of a body the connection ends; `whole` ignores ranges; `status` refuses;
    `drip` sends a byte at a time, from that byte on; `length` is what it says of the length.
    """

    def __init__(
        self,
        content: bytes = CONTENT,
        break_after: int | None = None,
        whole: bool = False,
        status: int = 200,
        encoding: str | None = None,
        drip: int | None = None,
        length: str | None = None,
    ) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.break_after, self.whole = content, break_after, whole
        self.status, self.encoding, self.drip, self.length = status, encoding, drip, length
        self.url = f"http://127.0.0.1:{self.server_port}/set.tar.gz"
        self.requests: list[dict[str, str]] = []

    @property
    def ranges(self) -> list[str | None]:
        return [request.get("Range") for request in self.requests]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server = self.server
        server.requests.append(dict(self.headers))
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        offset = int(asked[1]) if asked and not server.whole else 0
        if server.status != 200 or (offset and offset >= len(server.content)):
            self.send_error(server.status if server.status != 200 else 416)
            return
        body = server.content[offset:]
        self.send_response(206 if offset else 200)
        if offset:
            total = len(server.content)
            self.send_header("Content-Range", f"bytes {offset}-{total - 1}/{total}")
        if server.encoding:
            self.send_header("Content-Encoding", server.encoding)
        self.send_header("Content-Length", server.length or str(len(body)))
        self.end_headers()
        if server.drip is None:
            self.wfile.write(body[: server.break_after])
            return
        self.wfile.write(body[: server.drip])
        for place in range(server.drip, len(body)):
            try:
                self.wfile.write(body[place : place + 1])
            except OSError:  # nobody waits for more
                return
            time.sleep(0.01)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def serve() -> Iterator:
    """Start servers, which end with the test."""
    with ExitStack() as running:

        def start(**behaviour) -> Server:
            server = running.enter_context(Server(**behaviour))
            threading.Thread(target=server.serve_forever, args=[0.01]).start()
            running.callback(server.shutdown)
            return server

        yield start


@pytest.fixture
def folder(workplace: Path) -> Path:
    """The folder of raw files."""
    path = workplace / "data" / "raw"
    path.mkdir(parents=True)
    return path


def raw_file(*servers: Server) -> RawFile:
    return RawFile("set.tar.gz", len(CONTENT), SHA256, tuple(server.url for server in servers))


def files(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.suffix != ".lock"]


def fetched(*servers: Server) -> bytes:
    return fetch(raw_file(*servers)).read_bytes()


def test_file_is_downloaded_once(serve, folder: Path) -> None:
    server = serve()
    for _ in range(2):
        assert fetched(server) == CONTENT
    assert len(server.requests) == 1
    assert files(folder) == ["set.tar.gz"]


def test_file_that_was_put_there_is_not_downloaded(folder: Path) -> None:
    (folder / "set.tar.gz").write_bytes(CONTENT)
    folder.chmod(0o555)  # nothing has to be written
    assert fetch(raw_file()).resolve() == folder / "set.tar.gz"
    folder.chmod(0o755)


def test_raw_data_lie_below_the_main_checkout(
    serve, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert paths.raw_data() == Path("data/raw")
    monkeypatch.setenv("DVC_ROOT", str(workplace / "main"))
    assert fetch(raw_file(serve())) == workplace / "main" / "data" / "raw" / "set.tar.gz"


def test_wrong_file_that_was_put_there_is_named_and_kept(serve, folder: Path) -> None:
    server = serve()
    (folder / "set.tar.gz").write_bytes(OTHER)
    with pytest.raises(SpecflowError) as raised:
        fetch(raw_file(server))
    for part in ("data/raw/set.tar.gz", hashlib.sha256(OTHER).hexdigest(), SHA256, server.url):
        assert part in str(raised.value)
    assert (folder / "set.tar.gz").read_bytes() == OTHER
    assert server.requests == []


@pytest.mark.parametrize("content", [OTHER, CONTENT[:-1000], b"<html>"])
def test_wrong_bytes_of_a_server_are_named_and_not_kept(
    serve, folder: Path, content: bytes
) -> None:
    server = serve(content=content)
    with pytest.raises(SpecflowError) as raised:
        fetch(raw_file(server))
    for part in ("data/raw/set.tar.gz", hashlib.sha256(content).hexdigest(), SHA256, server.url):
        assert part in str(raised.value)
    assert files(folder) == []


def test_own_user_agent_is_sent_and_no_encoding_asked_for(serve, folder: Path) -> None:
    server = serve()
    fetch(raw_file(server))
    assert "specflow" in server.requests[0]["User-Agent"]
    assert server.requests[0]["Accept-Encoding"] == "identity"


def test_declared_encoding_is_not_undone(serve, folder: Path) -> None:
    assert fetched(serve(encoding="x-gzip")) == CONTENT


def test_broken_connections_go_on_where_they_ended(serve, folder: Path) -> None:
    server = serve(break_after=200_000)
    assert fetched(server) == CONTENT
    offsets = [int(asked.removeprefix("bytes=").removesuffix("-")) for asked in server.ranges[1:]]
    assert server.ranges[0] is None
    assert len(offsets) >= 2
    assert offsets == sorted(set(offsets))


@pytest.mark.parametrize(
    ("part", "whole", "ranges"),
    [
        (CONTENT[:300_000], False, ["bytes=300000-"]),
        (CONTENT, False, []),
        (CONTENT[:300_000], True, ["bytes=300000-"]),  # a server without ranges begins anew
        (b"x" * 1000, False, ["bytes=1000-", None]),  # a part of another file is given up
        (b"x" * len(CONTENT), False, [None]),
        (b"x" * 600_000, False, [None]),
    ],
    ids=["part", "all", "no ranges", "other part", "other file", "longer file"],
)
def test_killed_download_is_resumed_unless_it_is_of_another_file(
    serve, folder: Path, part: bytes, whole: bool, ranges: list[str | None]
) -> None:
    (folder / "set.tar.gz.part").write_bytes(part)
    server = serve(whole=whole)
    assert fetched(server) == CONTENT
    assert server.ranges == ranges


def test_part_beyond_the_file_of_a_server_is_given_up(serve, folder: Path) -> None:
    (folder / "set.tar.gz.part").write_bytes(CONTENT[:300_000])
    server = serve(content=CONTENT[:200_000])
    with pytest.raises(SpecflowError, match=r"\(200000 bytes\); expected .* \(500000 bytes\)"):
        fetch(raw_file(server))
    assert server.ranges == ["bytes=300000-", None]


@pytest.mark.parametrize("bad", [{"status": 503}, {"content": OTHER}, {"break_after": 9}])
def test_next_mirror_is_asked(serve, folder: Path, bad: dict[str, object]) -> None:
    first, second, third = serve(**bad), serve(), serve()
    assert fetched(first, second, third) == CONTENT
    assert (len(first.requests), len(second.requests), len(third.requests)) == (1, 1, 0)


def test_what_a_server_says_of_the_length_does_not_matter(serve, folder: Path) -> None:
    assert fetched(serve(length="a lot"), serve()) == CONTENT


def test_server_that_sends_more_than_the_file_is_left(serve, folder: Path) -> None:
    endless = serve(content=CONTENT * 1000)
    with pytest.raises(SpecflowError, match=f"sends more than {len(CONTENT)} bytes"):
        fetched(endless)
    assert files(folder) == []


@pytest.mark.parametrize("start", [0, 300_000])
def test_server_that_drips_is_left_for_the_next(
    serve, folder: Path, monkeypatch: pytest.MonkeyPatch, start: int
) -> None:
    monkeypatch.setattr(raw_files, "_TIMEOUT", 0.1)
    monkeypatch.setattr(raw_files, "_SLOWEST", 10**6)
    began = time.monotonic()
    assert fetched(serve(drip=start), serve()) == CONTENT
    assert time.monotonic() - began < (len(CONTENT) - start) * 0.01


def test_part_that_is_a_link_is_not_followed(serve, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "own").write_bytes(b"precious")
    (folder / "set.tar.gz.part").symlink_to(tmp_path / "own")
    assert fetched(serve()) == CONTENT
    assert (tmp_path / "own").read_bytes() == b"precious"


def test_without_network_the_place_and_all_sources_are_named(workplace: Path) -> None:
    urls = ("http://127.0.0.1:9/a", "http://127.0.0.1:9/b")
    with pytest.raises(SpecflowError, match="by hand") as raised:
        fetch(RawFile("set.tar.gz", len(CONTENT), SHA256, urls))
    for part in ("data/raw/set.tar.gz", SHA256, *urls):
        assert part in str(raised.value)
    assert files(paths.raw_data()) == []


def test_unwritable_place_is_named(workplace: Path) -> None:
    Path("data").write_text("a file where the folder should be")
    with pytest.raises(SpecflowError, match=r"raw/set\.tar\.gz.*to be had from"):
        fetch(raw_file())


FETCH = """
import resource, sys
from specflow.datasets.raw_files import RawFile, fetch
from specflow.errors import SpecflowError
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
try:
    fetch(RawFile("set.tar.gz", int(sys.argv[1]), sys.argv[2], (sys.argv[3],)))
except SpecflowError as error:
    print(error)
"""


def test_full_disk_is_named_and_what_arrived_is_kept(serve, folder: Path) -> None:
    server = serve()  # every write beyond 300 kB fails, as on a full disk
    command = [sys.executable, "-c", FETCH, str(len(CONTENT)), SHA256, server.url]
    environment = os.environ | {"PYTHONPATH": ":".join(sys.path)}
    ended = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert ended.stdout.startswith("data/raw/set.tar.gz: [Errno 27] File too large")
    assert len(server.requests) == 1
    assert fetched(server) == CONTENT
    assert server.ranges[1] not in (None, "bytes=0-")
