import hashlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from specflow import paths
from specflow.datasets.download import RawFile, fetch
from specflow.errors import SpecflowError

CONTENT = np.random.default_rng(0).bytes(500_000)
OTHER = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Server:
    """What a local server sends, and what it was asked.

    `break_after` bytes of a body the connection ends; `whole` ignores ranges; `status` refuses.
    """

    content: bytes = CONTENT
    break_after: int | None = None
    whole: bool = False
    status: int = 200
    encoding: str | None = None
    url: str = ""
    requests: list[dict[str, str]] = field(default_factory=list)

    @property
    def ranges(self) -> list[str | None]:
        return [request.get("Range") for request in self.requests]


class Handler(BaseHTTPRequestHandler):
    behaviour: Server

    def do_GET(self) -> None:
        server = self.behaviour
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
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: server.break_after])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def serve() -> Iterator:
    """Start servers on this machine alone; they end with the test."""
    running = []

    def start(**behaviour) -> Server:
        server = Server(**behaviour)
        handler = type("ThisHandler", (Handler,), {"behaviour": server})
        http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        running.append((http, thread))
        server.url = f"http://127.0.0.1:{http.server_port}/set.tar.gz"
        return server

    yield start
    for http, thread in running:
        http.shutdown()
        http.server_close()
        thread.join()


def raw_file(*servers: Server) -> RawFile:
    return RawFile("set.tar.gz", len(CONTENT), SHA256, tuple(server.url for server in servers))


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def test_file_is_downloaded_once(serve, tmp_path: Path) -> None:
    server = serve()
    for _ in range(2):
        assert fetch(raw_file(server), tmp_path).read_bytes() == CONTENT
    assert len(server.requests) == 1
    assert files(tmp_path) == ["set.tar.gz"]


def test_file_that_was_put_there_is_not_downloaded(tmp_path: Path) -> None:
    (tmp_path / "set.tar.gz").write_bytes(CONTENT)
    tmp_path.chmod(0o555)  # nothing has to be written
    assert fetch(raw_file(), tmp_path) == tmp_path / "set.tar.gz"
    tmp_path.chmod(0o755)


def test_raw_data_lie_below_the_main_checkout(
    serve, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert paths.raw_data() == Path("data/raw")
    monkeypatch.setenv("DVC_ROOT", str(workplace / "main"))
    assert fetch(raw_file(serve())) == workplace / "main" / "data" / "raw" / "set.tar.gz"


def test_wrong_file_that_was_put_there_is_named_and_kept(serve, tmp_path: Path) -> None:
    server = serve()
    (tmp_path / "set.tar.gz").write_bytes(OTHER)
    with pytest.raises(SpecflowError) as raised:
        fetch(raw_file(server), tmp_path)
    for part in (tmp_path / "set.tar.gz", hashlib.sha256(OTHER).hexdigest(), SHA256, server.url):
        assert str(part) in str(raised.value)
    assert (tmp_path / "set.tar.gz").read_bytes() == OTHER
    assert server.requests == []


@pytest.mark.parametrize("content", [OTHER, CONTENT[:-1000], CONTENT + b"more", b"<html>"])
def test_wrong_bytes_of_a_server_are_named_and_not_kept(
    serve, tmp_path: Path, content: bytes
) -> None:
    server = serve(content=content)
    with pytest.raises(SpecflowError) as raised:
        fetch(raw_file(server), tmp_path)
    for part in (tmp_path / "set.tar.gz", hashlib.sha256(content).hexdigest(), SHA256, server.url):
        assert str(part) in str(raised.value)
    assert files(tmp_path) == []


def test_own_user_agent_is_sent_and_no_encoding_asked_for(serve, tmp_path: Path) -> None:
    server = serve()
    fetch(raw_file(server), tmp_path)
    assert "specflow" in server.requests[0]["User-Agent"]
    assert server.requests[0]["Accept-Encoding"] == "identity"


def test_declared_encoding_is_not_undone(serve, tmp_path: Path) -> None:
    server = serve(encoding="x-gzip")
    assert fetch(raw_file(server), tmp_path).read_bytes() == CONTENT


def test_broken_connections_go_on_where_they_ended(serve, tmp_path: Path) -> None:
    server = serve(break_after=200_000)
    assert fetch(raw_file(server), tmp_path).read_bytes() == CONTENT
    offsets = [int(asked.removeprefix("bytes=").removesuffix("-")) for asked in server.ranges[1:]]
    assert server.ranges[0] is None
    assert len(offsets) >= 2
    assert offsets == sorted(set(offsets))


def test_killed_download_is_resumed(serve, tmp_path: Path) -> None:
    (tmp_path / "set.tar.gz.part").write_bytes(CONTENT[:300_000])
    server = serve()
    assert fetch(raw_file(server), tmp_path).read_bytes() == CONTENT
    assert server.ranges == ["bytes=300000-"]


def test_download_that_was_complete_is_not_asked_for_again(serve, tmp_path: Path) -> None:
    (tmp_path / "set.tar.gz.part").write_bytes(CONTENT)
    server = serve()
    assert fetch(raw_file(server), tmp_path).read_bytes() == CONTENT
    assert server.requests == []


def test_server_without_ranges_begins_anew(serve, tmp_path: Path) -> None:
    (tmp_path / "set.tar.gz.part").write_bytes(CONTENT[:300_000])
    server = serve(whole=True)
    assert fetch(raw_file(server), tmp_path).read_bytes() == CONTENT
    assert len(server.requests) == 1


@pytest.mark.parametrize("part", [b"x" * 1000, b"x" * len(CONTENT), b"x" * 600_000])
def test_part_of_another_file_is_given_up(serve, tmp_path: Path, part: bytes) -> None:
    (tmp_path / "set.tar.gz.part").write_bytes(part)
    server = serve()
    assert fetch(raw_file(server), tmp_path).read_bytes() == CONTENT
    assert server.ranges[-1] is None


def test_part_beyond_the_file_of_a_server_is_given_up(serve, tmp_path: Path) -> None:
    (tmp_path / "set.tar.gz.part").write_bytes(CONTENT[:300_000])
    server = serve(content=CONTENT[:200_000])
    with pytest.raises(SpecflowError, match=r"\(200000 bytes\); expected .* \(500000 bytes\)"):
        fetch(raw_file(server), tmp_path)
    assert server.ranges == ["bytes=300000-", None]


@pytest.mark.parametrize("bad", [{"status": 503}, {"content": OTHER}, {"break_after": 0}])
def test_next_mirror_is_asked(serve, tmp_path: Path, bad: dict[str, object]) -> None:
    first, second, third = serve(**bad), serve(), serve()
    assert fetch(raw_file(first, second, third), tmp_path).read_bytes() == CONTENT
    assert (len(first.requests), len(second.requests), len(third.requests)) == (1, 1, 0)


def test_without_network_the_place_and_all_sources_are_named(tmp_path: Path) -> None:
    urls = ("http://127.0.0.1:9/a", "http://127.0.0.1:9/b")
    with pytest.raises(SpecflowError, match="by hand") as raised:
        fetch(RawFile("set.tar.gz", len(CONTENT), SHA256, urls), tmp_path / "raw")
    for part in (tmp_path / "raw" / "set.tar.gz", SHA256, *urls):
        assert str(part) in str(raised.value)
    assert files(tmp_path / "raw") == []


def test_unwritable_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "raw").write_text("a file where the folder should be")
    with pytest.raises(SpecflowError, match=r"raw/set\.tar\.gz.*to be had from"):
        fetch(raw_file(), tmp_path / "raw")


FETCH = """
import pathlib, resource, sys
from specflow.datasets.download import RawFile, fetch
from specflow.errors import SpecflowError
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
try:
    fetch(RawFile("set.tar.gz", int(sys.argv[1]), sys.argv[2], (sys.argv[3],)), pathlib.Path())
except SpecflowError as error:
    print(error)
"""


def test_full_disk_is_named_and_what_arrived_is_kept(serve, workplace: Path) -> None:
    server = serve()  # every write beyond 300 kB fails, as on a full disk
    command = [sys.executable, "-c", FETCH, str(len(CONTENT)), SHA256, server.url]
    environment = os.environ | {"PYTHONPATH": ":".join(sys.path)}
    ended = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert ended.stdout.startswith("set.tar.gz: [Errno 27] File too large")
    assert len(server.requests) == 1
    assert fetch(raw_file(server), workplace).read_bytes() == CONTENT
    assert server.ranges[1] not in (None, "bytes=0-")
