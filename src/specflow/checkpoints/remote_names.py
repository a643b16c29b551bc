"""Which checkpoints a URL stands for: one, those of its braces, or revisions on a hub."""

import math
import re
from itertools import product

from specflow.checkpoints.hub import steps_on_hub
from specflow.checkpoints.remote import RemoteStep
from specflow.checkpoints.remote_places import resource_of
from specflow.errors import SpecflowError, shown

_MAX_STEPS = 100_000
_BRACES = re.compile(r"\{([^{}]*)\}")
_NUMBERS = re.compile(r"([0-9]+)\.\.([0-9]+)(?:\.\.([1-9][0-9]*))?")


def is_url(path: str) -> bool:
    """Return whether a path is a URL, of whatever scheme."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", path) is not None


def steps_at(url: str) -> dict[str, RemoteStep]:
    """Return the checkpoints at a URL, by what they are called; no weight is read.

    Args:
        url: https://host/path or hf://org/name@revision, in which {0,1000} stands for either and
            {0..5000..1000} for numbers in a row.

    Raises:
        SpecflowError: If it is no such URL, or a hub has nothing there that can be read.
    """
    found: dict[str, RemoteStep] = {}
    for one in _without_braces(url):
        if one.startswith("hf://"):
            found |= steps_on_hub(one)
        else:
            resource = resource_of(one)
            found[resource.place] = RemoteStep(resource)
    return found


def _without_braces(url: str) -> list[str]:
    """Return a URL with each of the texts that its braces stand for.

    Raises:
        SpecflowError: If they stand for none, or for too many.
    """
    parts = _BRACES.split(url)
    choices = [_choices(part) if odd % 2 else [part] for odd, part in enumerate(parts)]
    if math.prod(map(len, choices)) > _MAX_STEPS:
        raise SpecflowError(f"{shown(url)}: stands for more than {_MAX_STEPS} checkpoints")
    return ["".join(chosen) for chosen in product(*choices)]


def _choices(braces: str) -> list[str]:
    numbers = _NUMBERS.fullmatch(braces)
    if numbers is not None:
        return list(map(str, range(int(numbers[1]), int(numbers[2]) + 1, int(numbers[3] or 1))))
    if "," not in braces:
        shown_braces = shown(f"{{{braces}}}")
        raise SpecflowError(
            f"{shown_braces}: stands for no steps; expected {{0,1000}} or {{0..9..1}}"
        )
    return braces.split(",")
