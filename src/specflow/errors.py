"""The one base class of errors that a user can mend; stages print them without a traceback."""

import reprlib
from collections.abc import Iterable

_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring = 3, 100


class SpecflowError(ValueError):
    """Something that a user did or has: a parameter, a file, a run that diverged."""


def one_of(names: Iterable[str]) -> str:
    """Return the end of a message about a name that is none of these."""
    return f"expected one of {', '.join(names) or 'none: there are none'}"


def one_line(error: BaseException) -> str:
    """Return the first line of what an error says, or its kind if it says nothing."""
    return next(iter(str(error).strip().splitlines()), "") or type(error).__name__


def shown(value: object) -> str:
    """Return what a value looks like in a message: cut, however much it holds."""
    return _SHORT.repr(value)


def printable(text: str) -> str:
    """Return text whose control characters, but ends of lines, are spelled out."""
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)
