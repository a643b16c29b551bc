"""Ranges of files on a server that ignores them, breaks off, waits, lies or changes the file."""

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from tests.checkpoints.web import (
    answers,
    changed,
    cut,
    drips,
    hangs_up,
    ignores_ranges,
    redirects,
    silent,
)

from specflow.checkpoints.remote import http as web_client
from specflow.checkpoints.remote.files import RemoteFile, State, fetch
from specflow.checkpoints.remote.http import AbsentError, Patience
from specflow.checkpoints.remote.places import resource_of
from specflow.errors import SpecflowError

CONTENT = np.random.default_rng(0).bytes(300_000)


@pytest.fixture
def web(serve):
    server = serve()
    server.files["/a/file"] = CONTENT
    return server


@pytest.fixture
def file(web):
    return RemoteFile(resource_of(f"{web.url}/a/file"))


def refused(file, match, start=0, count=100):
    with pytest.raises(SpecflowError, match=match) as error:
        file.read(start, count)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(file.place)


@pytest.mark.parametrize(("start", "count"), [(0, 1), (0, 300_000), (7, 200_000), (299_999, 1)])
def test_range_is_what_lies_there_and_no_byte_more_is_sent(web, file, start, count):
    assert file.read(start, count) == CONTENT[start : start + count]
    assert web.sent == count
    assert [(path, asked) for path, asked, _ in web.asked] == [
        ("/a/file", (start, start + count - 1))
    ]


def test_threads_read_side_by_side(web, file):
    starts = range(0, 290_000, 10_000)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda start: file.read(start, 10_000), starts))
    assert found == [CONTENT[start : start + 10_000] for start in starts]


@pytest.mark.parametrize("after", [0, 1, 70_000, 199_999])
def test_truncated_body_is_completed_by_the_rest_alone(web, file, after):
    web.faults.append(cut(after))
    assert file.read(5, 200_000) == CONTENT[5:200_005]
    assert web.asked[1][1] == (5 + after, 200_004)
    assert web.sent == 200_000


def test_connections_may_break_as_often_as_they_bring_something(web, file):
    web.faults += [cut(70_000), hangs_up, cut(70_000), hangs_up, cut(70_000), hangs_up]
    assert file.read(0, 300_000) == CONTENT
    assert web.sent == 300_000


@pytest.mark.parametrize(
    ("fault", "match"),
    [
        (hangs_up, "the connection broke; tried 3 times"),
        (cut(0), "ended after 0 of 100 bytes; tried 3 times|connection broke; tried 3 times"),
        (answers(503), "the server answers 503; tried 3 times"),
        (answers(429), "the server answers 429; tried 3 times"),
    ],
)
def test_what_fails_again_and_again_is_given_up(web, file, fault, match):
    web.faults += [fault] * 3
    refused(file, match)
    assert len(web.asked) == 3
    assert file.read(0, 100) == CONTENT[:100]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_busy_server_is_asked_again(web, file, status):
    web.faults += [answers(status, b"busy", Retry_After="0"), answers(status, b"busy")]
    assert file.read(0, 100) == CONTENT[:100]


def test_pause_that_a_server_asks_for_is_made_and_else_the_usual_one(web, file, monkeypatch):
    pauses = []
    monkeypatch.setattr(web_client, "time", SimpleNamespace(sleep=pauses.append, monotonic=float))
    monkeypatch.setattr(web_client, "PATIENCE", Patience(tries=4))
    web.faults += [answers(429, Retry_After="7"), answers(503), answers(429, Retry_After="x")]
    assert file.read(0, 100) == CONTENT[:100]
    assert pauses == [7, 2, 4]


@pytest.mark.parametrize("after", ["1000", "Fri, 31 Dec 2100 23:59:59 GMT"])
def test_pause_that_is_too_long_is_not_made(web, file, after):
    web.faults.append(answers(429, Retry_After=after))
    refused(file, r"the server answers 429; it asks to wait \d+ s")
    assert len(web.asked) == 1


def test_silent_and_dripping_servers_are_given_up(web, file, monkeypatch):
    patience = Patience(tries=3, pause=0, silence=0.3, slowest=1000)
    monkeypatch.setattr(web_client, "PATIENCE", patience)
    web.faults += [silent(0.5)] * 3
    refused(file, "no answer within 0.3 seconds; tried 3 times")
    web.faults += [drips] * 3
    refused(file, "brings less than 1000 bytes a second; tried 3 times")


@pytest.mark.parametrize(
    ("fault", "match"),
    [
        (ignores_ranges, "the server sends whole files alone; expected one that knows ranges"),
        (changed(Content_Range="bytes 1-100/300000"), "asked for bytes 0 to 99; got the range"),
        (changed(Content_Range="bytes 0-98/300000"), "asked for bytes 0 to 99; got the range"),
        (changed(Content_Range="bytes 0-99/*"), "got the range 'bytes 0-99/"),
        (changed(Content_Range="lines 0-99"), "got the range 'lines 0-99'"),
        (answers(206, b"?" * 100), "got the range None"),
        (changed(Content_Length="200000"), "asked for bytes 0 to 99; got '200000' bytes"),
        (changed(Content_Encoding="gzip"), "is sent in the encoding 'gzip'"),
        (answers(416), "416, it ends before"),
        (answers(404), "404, there is no such file"),
        (answers(410), "410, there is no such file"),
        (answers(401), "401, not there, or for some alone; hf:// with HF_TOKEN set"),
        (answers(403), "403, access is denied"),
        (answers(204), "the server answers 204; expected a file"),
        (answers(451), "the server answers 451"),
        (answers(302), "a redirect that leads nowhere"),
    ],
)
def test_what_was_not_asked_for_is_refused_at_once(web, file, fault, match):
    web.faults.append(fault)
    refused(file, match)
    assert len(web.asked) == 1


def test_whole_file_of_a_server_without_ranges_is_not_received(web, file):
    received = []

    def whole(handler):
        received.append(0)
        handler.send_response(200)
        handler.send_header("Content-Length", str(50 * 2**20))
        handler.end_headers()
        for _ in range(50):
            handler.wfile.write(bytes(2**20))
            received[0] += 2**20

    web.faults.append(whole)
    refused(file, "the server sends whole files alone")
    assert received[0] < 25 * 2**20  # what its own buffers and ours of the system took


@pytest.mark.parametrize("change", ["content", "size", "stamp"])
def test_file_that_changes_between_requests_is_refused(web, file, change):
    file.read(0, 8)
    if change == "stamp":
        web.stamp = "another"
    else:
        web.files["/a/file"] = CONTENT[:-1] + (b"?" if change == "content" else b"??")
    refused(file, "changed while it was read; expected a file that stays as it is", start=8)


def test_file_that_changes_within_a_tensor_is_refused(web, file):
    file.read(0, 8)

    def replaced(handler):
        cut(70_000)(handler)
        handler.server.files["/a/file"] = CONTENT[::-1]

    web.faults.append(replaced)
    refused(file, "changed while it was read", count=200_000)


def test_size_that_is_not_the_published_one_is_refused(web):
    file = RemoteFile(resource_of(f"{web.url}/a/file"), size=299_999)
    refused(file, "has 300000 bytes; expected the 299999 that are published")


@pytest.mark.parametrize(
    ("one", "other", "may_be"),
    [
        (State(3, "a", None), State(3, "a", "monday"), True),
        (State(3, "a", "monday"), State(3, "b", "monday"), False),
        (State(3, None, "monday"), State(3, "b", "tuesday"), False),
        (State(3, None, "monday"), State(3, "b", None), True),
        (State(3, None, None), State(4, None, None), False),
        (State(3, "a", None), State(4, "a", None), False),
    ],
)
def test_files_are_told_apart_by_size_and_tag_or_else_by_time(one, other, may_be):
    assert one.may_be(other) is other.may_be(one) is may_be


def test_where_redirects_led_is_asked_again_without_them(web, file):
    web.files["/b"] = CONTENT
    web.faults.append(redirects("/b?signed=1"))
    assert file.read(0, 10) + file.read(10, 10) == CONTENT[:20]
    assert [path for path, _, _ in web.asked] == ["/a/file", "/b?signed=1", "/b?signed=1"]
    del web.files["/b"]  # the signature is too old
    assert file.read(20, 10) == CONTENT[20:30]
    assert [path for path, _, _ in web.asked][3:] == ["/b?signed=1", "/a/file"]


def test_connection_is_kept_over_ranges_and_redirects(web, file):
    addresses = set()
    web.process_request = lambda request, address: (
        addresses.add(address),
        type(web).process_request(web, request, address),
    )
    web.faults += [redirects("/a/file"), None, answers(503, b"busy")]
    for start in range(5):
        file.read(start, 1)
    assert len(web.asked) == 7
    assert len(addresses) == 1


def test_small_file_is_fetched_whole_with_the_page_that_follows(web):
    resource = resource_of(f"{web.url}/a/file")
    web.faults += [cut(10), changed(Link='<http://h/2>; rel="next"')]
    whole = fetch(resource, 300_000)
    assert (whole.content, whole.next_page) == (CONTENT, "http://h/2")
    assert fetch(resource, 300_000).next_page is None


def test_whole_file_is_bounded(web):
    resource = resource_of(f"{web.url}/a/file")
    with pytest.raises(SpecflowError, match=r"a/file: more than 299999 bytes"):
        fetch(resource, 299_999)

    def endless(handler):
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        while True:
            handler.wfile.write(CONTENT)

    web.faults.append(endless)
    with pytest.raises(SpecflowError, match="more than 1000000 bytes"):
        fetch(resource, 1_000_000)
    with pytest.raises(AbsentError, match=r"/a/other: 404"):
        fetch(resource_of(f"{web.url}/a/other"), 10)


def test_server_that_refuses_at_once_is_told_from_one_that_is_silent(monkeypatch):
    monkeypatch.setattr(web_client, "PATIENCE", Patience(tries=2, pause=0))
    file = RemoteFile(resource_of("http://127.0.0.1:1/a.safetensors"))
    refused(file, "connection refused; tried 2 times")
