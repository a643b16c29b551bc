"""Names of tensors become paths in HDF5 files; those that cannot are refused."""

from collections.abc import Iterable
from pathlib import Path

from specflow.suites.errors import SuiteError

MAX_LENGTH = 1000  # characters; files of partial results and attributes of HDF5 end at 2^16 bytes


def check_names(path: Path, names: Iterable[str]) -> None:
    """Check that every name is a path of HDF5, and none lies within another.

    Args:
        path: The file that they are from.
        names: Names of tensors.

    Raises:
        SuiteError: With the first name that is not.
    """
    known = set(names)
    for name in known:
        problem = problem_of(name)
        if problem is not None:
            shown = name[:MAX_LENGTH]
            raise SuiteError(f"{path}: a tensor has the name {shown!r}, which {problem}")
    for name in known:
        parts = name.split("/")
        folders = {"/".join(parts[:count]) for count in range(1, len(parts))}
        if folders & known:
            outer = min(folders & known)
            raise SuiteError(
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
