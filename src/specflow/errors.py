"""The one base class of errors that a user can mend; stages print them without a traceback."""

import reprlib
from collections.abc import Iterable
from pathlib import Path

from specflow import paths

_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring = 3, 100


class SpecflowError(ValueError):
    """Something that a user did or has: a parameter, a file, a run that diverged."""


class BrokenFileError(SpecflowError):
    """A result that is missing, damaged, not whole in itself, or of another kind or version."""

    def __init__(self, path: Path, fault: str, stage: str = "") -> None:
        """Say what is wrong with a file, and how to have it made anew.

        Args:
            path: The file.
            fault: What is wrong with it.
            stage: The stage that writes it where git tracks it; none if it does not.
        """
        super().__init__(path, fault, stage)  # as it is sent between processes
        if stage and path.exists():
            self._advice = (
                f"; `git checkout {path}` brings back what is committed, `dvc repro -sf {stage}` "
                "makes it anew"
            )
        elif stage:
            self._advice = f"; `dvc repro {stage}` writes it"
        elif paths.RESULTS in path.parents:
            self._advice = (
                f"; `specflow forget {path}` drops it, in DVC's cache too, and then `dvc repro` "
                "makes it again"
            )
        else:  # made elsewhere
            self._advice = ""

    def __str__(self) -> str:
        """Return place, fault and advice in one line."""
        path, fault, _ = self.args
        return f"{path}: {fault}{self._advice}"


def one_of(names: Iterable[str]) -> str:
    """Return the end of a message about a name that is none of these."""
    return f"expected one of {', '.join(names) or 'none: there are none'}"


def some_of(names: Iterable[str], most: int = 10) -> str:
    """Return the first names for a message, with dots where there are more."""
    every = list(names)
    return ", ".join([*every[:most], *(["..."] if len(every) > most else [])])


def number_of(count: int, one: str, many: str = "") -> str:
    """Return how many there are, in words; many of them are "ones" unless told."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def one_line(error: BaseException) -> str:
    """Return the first line of what an error says, or its kind if it says nothing."""
    return next(iter(str(error).strip().splitlines()), "") or type(error).__name__


def shown(value: object) -> str:
    """Return what a value looks like in a message: cut, however much it holds."""
    return _SHORT.repr(value)


def printable(text: str) -> str:
    """Return text whose control characters, but ends of lines, are spelled out."""
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)
