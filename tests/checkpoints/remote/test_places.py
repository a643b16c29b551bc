"""URLs and redirects: no secret is shown or goes astray, and certificates are verified."""

import ssl
from pathlib import Path

import pytest
from tests.checkpoints.web import redirects

from specflow.checkpoints.remote.files import RemoteFile
from specflow.checkpoints.remote.places import (
    Resource,
    bare,
    is_this_machine,
    is_url,
    led_to,
    resource_of,
)
from specflow.errors import SpecflowError

SECRET = "hf_S3cret"
SELF_SIGNED = Path(__file__).with_name("self_signed.pem")


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://host/file",
        "s3://bucket/file",
        "https:///file",
        f"https://name:{SECRET}@host/file",
        f"https://{SECRET}@host/a@b/file?x={SECRET}#{SECRET}",
        f"https://name:{SECRET}/2@host/file",
        "https://host:port/file",
    ],
)
def test_url_of_another_scheme_or_with_a_password_is_refused(url):
    with pytest.raises(SpecflowError, match=r"://.*expected https://host/path") as error:
        resource_of(url)
    assert SECRET not in str(error.value)


def test_query_is_asked_for_and_not_shown():
    resource = resource_of(f"https://host/dir/file?token={SECRET}#part")
    assert resource.url == f"https://host/dir/file?token={SECRET}"
    assert resource.place == "https://host/dir/file"
    assert SECRET not in repr(resource) + repr(Resource("a", "https://h/", SECRET))


@pytest.mark.parametrize(
    ("location", "kept"),
    [
        ("/elsewhere", True),
        ("https://host/elsewhere", True),
        ("https://HOST:443/elsewhere", True),
        ("https://host:8443/elsewhere", False),
        ("https://other/elsewhere", False),
        ("https://host.other/elsewhere", False),
        ("//other/elsewhere", False),
    ],
)
def test_token_goes_to_its_host_and_to_no_other(location, kept):
    led = led_to(location, Resource("hf://a/b", "https://host/file", SECRET))
    assert led.token == (SECRET if kept else None)
    assert led.url.endswith("/elsewhere")
    assert led.place == "hf://a/b"


def test_token_stays_behind_for_good():
    asked = Resource("hf://a/b", "https://host/file", SECRET)
    assert led_to("https://host/file", led_to("https://other/", asked)).token is None


@pytest.mark.parametrize(
    "location",
    [
        None,
        "http://host/file",
        "file:///etc/passwd",
        f"https://name:{SECRET}@host/file",
        "https://[x",
    ],
)
def test_redirect_to_where_no_url_may_lead_is_refused(location):
    with pytest.raises(SpecflowError, match="hf://a/b: a redirect") as error:
        led_to(location, Resource("hf://a/b", "https://host/file"))
    assert SECRET not in str(error.value)


def test_token_does_not_follow_to_another_host_or_port(serve):
    web, other = serve(), serve()
    web.files["/file"] = other.files["/file"] = b"content"
    by_name = f"http://localhost:{web.server_port}/file"
    for location, sent in [("/file", SECRET), (by_name, None), (f"{other.url}/file", None)]:
        web.faults.append(redirects(location))
        resource = Resource("here", f"{web.url}/file", SECRET)
        assert RemoteFile(resource).read(0, 7) == b"content"
        last = (other if location.startswith(other.url) else web).asked[-1]
        assert last[2].get("Authorization") == (sent and f"Bearer {sent}")
    own = [headers.get("Authorization") for _, _, headers in web.asked]
    assert own == [f"Bearer {SECRET}"] * 3 + [None, f"Bearer {SECRET}"]


def test_redirects_come_to_an_end(serve):
    web = serve()
    web.files["/file"] = b"content"
    web.faults += [redirects("/file?again")] * 5
    assert RemoteFile(resource_of(f"{web.url}/file")).read(0, 7) == b"content"
    web.faults += [redirects("/file?again")] * 6
    with pytest.raises(SpecflowError, match="/file: more than 5 redirects"):
        RemoteFile(resource_of(f"{web.url}/file")).read(0, 7)


def test_certificate_that_nobody_vouches_for_is_refused_at_once(serve):
    web = serve()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(SELF_SIGNED)
    web.socket = context.wrap_socket(web.socket, server_side=True)
    file = RemoteFile(resource_of(f"https://localhost:{web.server_port}/file?{SECRET}"))
    with pytest.raises(SpecflowError, match="the server's certificate is not valid") as error:
        file.read(0, 7)
    assert SECRET not in str(error.value)
    assert web.asked == []


def test_proxy_of_the_environment_is_used_but_not_for_this_machine(serve, monkeypatch):
    proxy, web = serve(), serve()
    monkeypatch.setenv("http_proxy", proxy.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    web.files["/file"] = proxy.files["http://far.example/file"] = b"content"
    for url in (f"{web.url}/file", "http://far.example/file"):
        assert RemoteFile(resource_of(url)).read(0, 7) == b"content"
    assert [path for path, _, _ in proxy.asked] == ["http://far.example/file"]


@pytest.mark.parametrize(
    ("host", "here"),
    [("localhost", True), ("127.0.0.3", True), ("[::1]", True), ("127.0.0.1.example", False)],
)
def test_this_machine_is_known_by_its_addresses(host, here):
    assert is_this_machine(f"http://{host}:80/") is here


@pytest.mark.parametrize(
    ("path", "remote"),
    [
        ("https://host/a", True),
        ("HTTP://host/a", True),
        ("hf://org/name", True),
        ("file:///etc/passwd", True),
        ("run/step1", False),
        ("C:/run", False),
        ("/run//a", False),
        ("a:b//c", False),
    ],
)
def test_url_is_told_from_a_path_by_its_scheme(path, remote):
    assert is_url(path) is remote


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("https://me:pass@host/a@b/c?d#e", "https://b/c"),
        ("https://host/a?b@c", "https://host/a"),
        ("hf://org/name@step*/a?b", "hf://org/name@step*/a"),
        ("run/a?b@c", "run/a?b@c"),
    ],
)
def test_what_may_be_a_secret_is_left_out(path, expected):
    assert bare(path) == expected
