"""Revisions of a model on a hub as checkpoints: listed by its HTTP API, pinned by their commits."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property, partial
from typing import Any, TypeVar
from urllib.parse import quote, unquote

from pydantic import BaseModel, TypeAdapter, ValidationError

from specflow.checkpoints.folders import SAFETENSORS, chosen_of, holds_weights
from specflow.checkpoints.remote.ahead import ReadAhead
from specflow.checkpoints.remote.files import Whole, fetch
from specflow.checkpoints.remote.http import AbsentError
from specflow.checkpoints.remote.places import Resource, bare, is_this_machine, led_to, resource_of
from specflow.checkpoints.remote.step import Published, RemoteStep
from specflow.errors import SpecflowError, one_line, shown, some_of
from specflow.wiring.names import in_natural_order

_ENDPOINT = "https://huggingface.co"
_MAX_BYTES = 100 * 2**20  # of an answer of the API
_MAX_PAGES = 1000
_NAME = re.compile(r"hf://(\w[\w.-]*/\w[\w.-]*)(?:@([^/]+))?(?:/(.+))?", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_EXPECTED = "expected hf://org/name, hf://org/name@revision or hf://org/name@revision/file"

_Kind = TypeVar("_Kind")


class _Ref(BaseModel):
    """A branch or a tag."""

    name: str
    targetCommit: str  # noqa: N815 (as the API calls it)


class _Refs(BaseModel):
    """All of them."""

    branches: list[_Ref]
    tags: list[_Ref]


class _Lfs(BaseModel):
    """What is said of a large file: its SHA-256."""

    oid: str


class _Node(BaseModel):
    """A file or a folder of a revision."""

    path: str
    type: str
    oid: str
    size: int = 0
    lfs: _Lfs | None = None


@dataclass(frozen=True)
class Revision:
    """A branch, tag or commit of a model.

    Attributes:
        name: What it is called: "hf://org/name@step1000".
        commit: What it stands for now.
    """

    name: str
    commit: str
    model: str
    endpoint: Resource

    @cached_property
    def files(self) -> Mapping[str, Published]:
        """Size and hash of every file, by its path; the hash is its SHA-256 if it is large.

        Raises:
            SpecflowError: If the hub does not tell.
        """
        found: list[_Node] = []
        page: str | None = f"api/models/{self.model}/tree/{self.commit}?recursive=true"
        for _ in range(_MAX_PAGES):
            if page is None:
                break
            whole = _ask(self.endpoint, page, self.name)
            found += _read(whole, list[_Node], self.name)
            page = whole.next_page
        return {
            node.path: Published(node.path, node.size, node.lfs.oid if node.lfs else node.oid)
            for node in found
            if node.type == "file"
        }

    def step(self, file: str | None, ahead: ReadAhead) -> RemoteStep:
        """Return the checkpoint in a file, or the one in the folder of the revision.

        Raises:
            SpecflowError: If the hub does not tell which files there are.
        """
        name = self.name if file is None else f"{self.name}/{file}"
        published = {f"{self.name}/{path}": one for path, one in self.files.items()}
        return RemoteStep(name, partial(self._resource, file), ahead, published)

    def _resource(self, file: str | None) -> Resource:
        """Return where a file lies, or that of the checkpoint in the folder of the revision.

        Raises:
            SpecflowError: If there is none, or none of safetensors.
        """
        chosen = self._chosen() if file is None else file
        if chosen not in self.files:
            raise SpecflowError(f"{self.name}/{chosen}: there is no such file in this revision")
        url = f"{self.endpoint.url}/{self.model}/resolve/{self.commit}/{quote(chosen)}"
        return Resource(f"{self.name}/{chosen}", url, self.endpoint.token)

    def _chosen(self) -> str:
        names = in_natural_order(path for path in self.files if "/" not in path)
        chosen = chosen_of(self.name, names, SAFETENSORS)
        if chosen is not None:
            return chosen
        pickled = list(filter(holds_weights, names))
        if pickled:
            problem = f"has {some_of(pickled, 3)} and no safetensors, which alone are read remotely"
            raise SpecflowError(f"{self.name}: {problem}; download it and name the file")
        raise SpecflowError(f"{self.name}: has no weights; it has {some_of(names) or 'no files'}")


def revisions(url: str) -> tuple[dict[str, Revision], str | None]:
    """Return the revisions that a URL of a hub stands for, by name, and the file it names.

    The hub is `$HF_ENDPOINT`; `$HF_TOKEN` is sent to it alone.

    Args:
        url: hf://org/name@revision/file; the revision may be a pattern (*, ?), is "main" if it is
            left out, and has %2F for a slash.

    Raises:
        SpecflowError: If it is no such URL, or the hub has no such model or revision.
    """
    parts = _NAME.fullmatch(url)
    if parts is None:
        raise SpecflowError(f"{bare(url)}: no model of a hub; {_EXPECTED}")
    model, pattern, file = parts[1], unquote(parts[2] or "main"), parts[3]
    endpoint, name = _endpoint(), f"hf://{model}"
    if _COMMIT.fullmatch(pattern):
        commits = {pattern: pattern}
    else:
        refs = _read(_ask(endpoint, f"api/models/{model}/refs", name), _Refs, name)
        commits = _matching(name, [*refs.branches, *refs.tags], pattern)
    found = [
        Revision(f"{name}@{revision.replace('/', '%2F')}", commit, model, endpoint)
        for revision, commit in commits.items()
    ]
    return {revision.name: revision for revision in found}, file


def steps_on_hub(url: str, ahead: ReadAhead) -> dict[str, RemoteStep]:
    """Return the checkpoints that a URL of a hub stands for, by what they are called.

    Args:
        url: As for `revisions`.
        ahead: Says what may be received with a tensor.

    Raises:
        SpecflowError: As for `revisions`.
    """
    found, file = revisions(url)
    tail = "" if file is None else f"/{file}"
    return {f"{name}{tail}": revision.step(file, ahead) for name, revision in found.items()}


def _matching(name: str, refs: list[_Ref], pattern: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for ref in refs:
        if not fnmatchcase(ref.name, pattern):
            continue
        if not _COMMIT.fullmatch(ref.targetCommit):
            raise SpecflowError(f"{name}@{ref.name}: is {shown(ref.targetCommit)}, no commit")
        if found.setdefault(ref.name, ref.targetCommit) != ref.targetCommit:
            raise SpecflowError(f"{name}@{ref.name}: a branch and a tag; expected a commit")
    if not found:
        known = some_of(in_natural_order(ref.name for ref in refs))
        raise SpecflowError(f"{name}@{pattern}: no such revision; expected one of {known}")
    return {revision: found[revision] for revision in in_natural_order(found)}


def _endpoint() -> Resource:
    """Return the hub, with the token that is sent to it.

    Raises:
        SpecflowError: If it is no URL, or the token is none or would be sent in clear.
    """
    endpoint = resource_of((os.environ.get("HF_ENDPOINT") or _ENDPOINT).rstrip("/"))
    token = os.environ.get("HF_TOKEN") or None
    if token is not None and not re.fullmatch(r"[\x21-\x7e]+", token):
        raise SpecflowError("HF_TOKEN: holds what no token does; expected letters without spaces")
    encrypted = endpoint.url.startswith("https://") or is_this_machine(endpoint.url)
    if token is not None and not encrypted:
        raise SpecflowError(f"HF_ENDPOINT: {endpoint.place} would get HF_TOKEN in clear; use https")
    return Resource(endpoint.place, endpoint.url, token)


def _ask(endpoint: Resource, path: str, name: str) -> Whole:
    """Return an answer of the API.

    Raises:
        SpecflowError: If it cannot be had; further pages must lie on the hub too.
    """
    page = led_to(path, Resource(name, f"{endpoint.url}/", endpoint.token))
    if page.origin != endpoint.origin:
        raise SpecflowError(f"{name}: its list goes on elsewhere; expected it on {endpoint.place}")
    try:
        return fetch(page, _MAX_BYTES)
    except AbsentError as error:
        raise SpecflowError(f"{name}: is not on {endpoint.place}, or for others alone") from error


def _read(whole: Whole, kind: type[_Kind], name: str) -> _Kind:
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    try:
        return adapter.validate_json(whole.content)
    except ValidationError as error:
        problem = f"the hub answers what is not understood ({one_line(error)})"
        raise SpecflowError(f"{name}: {problem}") from error
