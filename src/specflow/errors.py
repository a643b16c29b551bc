"""The one base class of errors that a user can mend; stages print them without a traceback."""

from collections.abc import Iterable


class SpecflowError(ValueError):
    """Something that a user did or has: a parameter, a file, a run that diverged."""


def one_of(names: Iterable[str]) -> str:
    """Return the end of a message about a name that is none of these."""
    return f"expected one of {', '.join(names) or 'none: there are none'}"


def one_line(error: BaseException) -> str:
    """Return the first line of what an error says, or its kind if it says nothing."""
    return next(iter(str(error).strip().splitlines()), "") or type(error).__name__
