"""URLs, and where one may lead: no secret is shown, and none goes to another host."""

import re
from dataclasses import dataclass, field, replace
from urllib.parse import urljoin
from urllib.request import getproxies, proxy_bypass

from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from specflow.errors import SpecflowError

_LOOPBACK = re.compile(r"localhost|127(\.[0-9]+){3}|\[::1\]")


@dataclass(frozen=True)
class Resource:
    """What lies at a URL.

    Attributes:
        place: What it is called in messages and results: no secrets in it.
        url: Where it is asked for; its query may hold a signature.
        token: Sent as Authorization to the host of the URL, and to no other.
    """

    place: str
    url: str = field(repr=False)
    token: str | None = field(default=None, repr=False)

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port."""
        return _origin(parse_url(self.url))


def is_url(path: str) -> bool:
    """Return whether a path is a URL, of whatever scheme."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", path) is not None


def bare(path: str) -> str:
    """Return a URL without what may be a secret; a path of no URL as it is."""
    if not is_url(path):
        return path
    scheme, _, rest = re.split(r"[?#]", path, maxsplit=1)[0].partition("://")
    revision = scheme == "hf"  # the @ of which hides nothing
    return f"{scheme}://{rest if revision else rest.rpartition('@')[2]}"


def resource_of(url: str) -> Resource:
    """Return what lies at a URL that a user gives; its query is shown in no message.

    Raises:
        SpecflowError: If it is none of http or https, or holds a name and password.
    """
    place = bare(url)
    _parsed(url, place)
    return Resource(place, url.partition("#")[0])


def led_to(location: str | None, asked: Resource) -> Resource:
    """Return what a redirect leads to; a token stays behind where it leads to another host.

    Raises:
        SpecflowError: If it leads nowhere, or to where no URL may lead.
    """
    if location is None:
        raise SpecflowError(f"{asked.place}: a redirect that leads nowhere; expected a file")
    place = f"{asked.place}: a redirect to another place"
    try:
        url = urljoin(asked.url, location)
    except ValueError as error:
        raise SpecflowError(f"{place}: no URL") from error
    parsed = _parsed(url, place)
    led = replace(asked, url=url)
    if (asked.origin[0], parsed.scheme) == ("https", "http"):
        raise SpecflowError(f"{asked.place}: a redirect from https to http; expected https")
    return led if led.origin == asked.origin else replace(led, token=None)


def _parsed(url: str, place: str) -> Url:
    expected = "expected https://host/path or http://host/path, without a name or password"
    try:
        parsed = parse_url(url)
    except LocationParseError as error:
        raise SpecflowError(f"{place}: no URL; {expected}") from error
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.auth is not None:
        raise SpecflowError(f"{place}: {expected}")
    return parsed


def _origin(url: Url) -> tuple[str, str, int]:
    scheme = url.scheme or ""
    return scheme, url.host or "", url.port or {"http": 80, "https": 443}[scheme]


def is_this_machine(url: str) -> bool:
    """Return whether a URL is of this machine, whose traffic nobody else sees."""
    return _LOOPBACK.fullmatch(parse_url(url).host or "") is not None


def proxy_of(asked: Resource) -> str | None:
    """Return the proxy that the environment names for a host."""
    scheme, host, _ = asked.origin
    if is_this_machine(asked.url) or proxy_bypass(host):
        return None
    return getproxies().get(scheme)
