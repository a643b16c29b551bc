"""Which checkpoints a URL stands for: one, those of its braces, or revisions on a hub."""

import math
import re
from collections.abc import Sequence
from functools import partial
from itertools import product
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from specflow.checkpoints.folders import TORCH_SUFFIXES
from specflow.checkpoints.remote.ahead import ReadAhead
from specflow.checkpoints.remote.hub import steps_on_hub
from specflow.checkpoints.remote.places import Resource, bare, is_url, resource_of
from specflow.checkpoints.remote.step import RemoteStep
from specflow.errors import SpecflowError, shown, some_of

_MAX_STEPS = 100_000
_BRACED = "expected {0,1000} or {0..5000..1000}"
_BRACES = re.compile(r"\{([^{}]*)\}")
_NUMBERS = re.compile(r"([0-9]{1,18})\.\.([0-9]{1,18})(?:\.\.([1-9][0-9]{0,17}))?")


def steps_at(url: str) -> dict[str, RemoteStep]:
    """Return the checkpoints at a URL, by what they are called; no weight is read.

    Args:
        url: https://host/path or hf://org/name@revision, in which {0,1000} stands for either and
            {0..5000..1000} for numbers in a row.

    Raises:
        SpecflowError: If it is no such URL, or a hub has nothing there that can be read.
    """
    found: dict[str, RemoteStep] = {}
    ahead = ReadAhead()
    for one in _without_braces(url):
        if one.startswith("hf://"):
            found |= steps_on_hub(one, ahead)
        else:
            resource = resource_of(one)
            place = resource.place
            _check_readable(place)
            found[place] = RemoteStep(place, partial(_itself, resource), ahead)
    return found


def step_at(url: str) -> RemoteStep:
    """Return the one checkpoint at a URL.

    Raises:
        SpecflowError: As for `steps_at`, or if it stands for several.
    """
    found = steps_at(url)
    if len(found) != 1:
        raise SpecflowError(f"{some_of(found, 2)}: {len(found)} of one step; expected one a step")
    return next(iter(found.values()))


def in_order(path: str) -> bool:
    """Return whether a path is a URL that says in which order its checkpoints are."""
    return is_url(path) and not re.search(r"[*?\[]", bare(path))


def _check_readable(place: str) -> None:
    """Check that a URL may be one of safetensors; nothing is asked for.

    Raises:
        SpecflowError: If it is a pattern, or ends as files of torch.save do.
    """
    path = PurePosixPath(urlsplit(place).path)
    if re.search(r"[*\[]", str(path)):
        problem = "a web server does not list its files, so that no pattern matches any"
        raise SpecflowError(f"{place}: {problem}; {_BRACED}")
    if path.suffix in TORCH_SUFFIXES:
        problem = f"{path.suffix}, and only safetensors are read over URLs; download it"
        raise SpecflowError(f"{place}: {problem}, and name the copy on the disk")


def _itself(resource: Resource) -> Resource:
    return resource


def _without_braces(url: str) -> list[str]:
    """Return a URL with each of the texts that its braces stand for.

    Raises:
        SpecflowError: If they stand for none, or for too many.
    """
    parts = _BRACES.split(url)
    choices = [_choices(part) if odd % 2 else [part] for odd, part in enumerate(parts)]
    if math.prod(map(len, choices)) > _MAX_STEPS:
        raise SpecflowError(f"{bare(url)}: stands for more than {_MAX_STEPS} checkpoints")
    return ["".join(map(str, chosen)) for chosen in product(*choices)]


def _choices(braces: str) -> Sequence[str | int]:
    numbers = _NUMBERS.fullmatch(braces)
    if numbers is not None:
        found = range(int(numbers[1]), int(numbers[2]) + 1, int(numbers[3] or 1))
        if found:
            return found
    elif "," in braces:
        return braces.split(",")
    raise SpecflowError(f"{shown(braces)} in braces stands for no steps; {_BRACED}")
