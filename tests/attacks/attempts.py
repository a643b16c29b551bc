"""What an attack comes to: a result, or an error for people, in bounded time and memory."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from specflow.errors import SpecflowError

MOST_SECONDS = 3
MOST_BYTES = 500e6
PROCESS = Path("/proc/self")

Found = TypeVar("Found")


def attempt(function: Callable[[], Found]) -> tuple[Found | None, SpecflowError | None]:
    """Return what a function returns, or the error for people that it raises.

    It must take neither long nor much memory.
    """
    if PROCESS.exists():
        (PROCESS / "clear_refs").write_text("5")  # the peak is what there is now
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
    """Return the most memory so far, where the system tells it (on Linux)."""
    if not PROCESS.exists():
        return 0
    status = (PROCESS / "status").read_text()
    return 1024 * int(re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)[1])
