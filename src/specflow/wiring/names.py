"""Names of tensors become paths in HDF5 files; those that cannot are refused."""

import re
from collections.abc import Iterable
from itertools import accumulate
from pathlib import Path

from specflow.errors import SpecflowError

MAX_LENGTH = 1000  # characters; attributes of HDF5 end at 2^16 bytes


def check_names(path: str | Path, names: Iterable[str]) -> None:
    """Check that every name is a path of HDF5, and none lies within another.

    Raises:
        SpecflowError: With a name that is not, and `path`, the file that holds it.
    """
    known = dict.fromkeys(names)
    for name in known:
        problem = problem_of(name)
        if problem is not None:
            shown = name[:MAX_LENGTH]
            raise SpecflowError(f"{path}: a tensor has the name {shown!r}, which {problem}")
    for name in known:
        folders = accumulate(name.split("/")[:-1], "{}/{}".format)
        outer = next((folder for folder in folders if folder in known), None)
        if outer is not None:
            raise SpecflowError(
                f"{path}: tensors have the names {outer!r} and {name!r}; expected none within "
                "another (names are paths of HDF5)"
            )


def problem_of(name: str) -> str | None:
    """Return why a name is no path of HDF5, None if it is one."""
    expected = "expected a relative path of HDF5"
    if len(name) > MAX_LENGTH:
        return f"has {len(name)} characters, here cut; expected at most {MAX_LENGTH}"
    if "\0" in name:
        return f"holds NUL; {expected}"
    if not name.isprintable():
        return f"holds characters that cannot be printed; {expected}"
    if any(part in ("", ".", "..") for part in name.split("/")):
        return f"has an empty part, '.' or '..'; {expected}"
    return None


def in_natural_order(names: Iterable[str]) -> list[str]:
    """Return names sorted, numbers in them by value: layer 2 before layer 10."""
    return sorted(names, key=_natural)


def _natural(name: str) -> tuple[list[str], list[tuple[int, str]], str]:
    parts = re.split(r"([0-9]+)", name)
    numbers = [number.lstrip("0") for number in parts[1::2]]  # of any length, unlike text to int
    return parts[::2], [(len(number), number) for number in numbers], name
