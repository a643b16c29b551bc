import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import TypeVar

import pytest

from specflow.errors import SpecflowError

MOST_SECONDS = 3
MOST_BYTES = 500e6

Found = TypeVar("Found")
Attacks = Callable[[int], Iterator[Random]]


@pytest.fixture
def attacks(request: pytest.FixtureRequest) -> Attacks:
    """A function that returns so many sources of random attacks, or as often as many as asked for.

    An error shows the text that its source is made of, which makes the same attack again.
    """
    seed, times = map(request.config.getoption, ("--attack-seed", "--attack-times"))

    def sources(count: int) -> Iterator[Random]:
        for number in range(count * times):
            text = f"{request.node.name} {seed} {number}"
            try:
                yield Random(text)
            except GeneratorExit:
                print("attack", repr(text))
                raise

    return sources


def attempt(function: Callable[[], Found]) -> tuple[Found | None, SpecflowError | None]:
    """Return what a function returns, or the error for people that it raises.

    It must take neither long nor much memory.
    """
    Path("/proc/self/clear_refs").write_text("5")  # the peak is what there is now
    before, began = _peak(), time.monotonic()
    found, raised = None, None
    try:
        found = function()
    except SpecflowError as error:
        raised = error
    assert time.monotonic() - began < MOST_SECONDS
    assert _peak() - before < MOST_BYTES
    return found, raised


def _peak() -> int:
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)[1])
