"""How many cores there are to compute on."""

import os

from specflow.errors import SpecflowError


def num_workers() -> int:
    """Return how many threads or members run side by side: `SPECFLOW_WORKERS`, else all cores.

    Raises:
        SpecflowError: If the variable is not a whole number of at least 1.
    """
    return whole_number("SPECFLOW_WORKERS") or _num_cores()


def whole_number(variable: str) -> int | None:
    """Return the number that a variable of the environment holds; None if it is not set.

    Raises:
        SpecflowError: If it is not a whole number of at least 1.
    """
    given = os.environ.get(variable)
    if given is None:
        return None
    if not given.isdecimal() or int(given) < 1:
        raise SpecflowError(f"{variable}: got {given!r}; expected a whole number from 1")
    return int(given)


def _num_cores() -> int:
    """Return how many cores this process may use, or where no one tells, how many there are."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
