"""The folder of an analysis: which tables and figures in it specflow wrote, and nobody else.

A sealed list at its top has their names and digests. SHA256SUMS would not do: it is a name that
people give to lists of their own files.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import StringConstraints

from specflow.errors import SpecflowError
from specflow.json_files import read_json_as, write_json
from specflow.sums import digest_of, noted_in, remove_noted
from specflow.textfiles import reading

WRITTEN = "written.json"
_REMOVE: Mapping[str, Callable[[Path], None]] = {
    "tables": remove_noted,
    "figures": Path.unlink,
}  # by the folder
_Name = Annotated[str, StringConstraints(pattern=rf"^({'|'.join(_REMOVE)})/[a-z][a-z0-9_]*\.\w+$")]


def check_output(output: Path) -> None:
    """Check, before anything is measured, that it will be known what is specflow's.

    Raises:
        SpecflowError: If it is a file, tables or figures are no folder but a link or a file, or a
            list of what is in them cannot be read or is not what was written.
    """
    if output.exists() and not output.is_dir():
        raise SpecflowError(f"output: {output} is a file; expected a folder, made if missing")
    for folder in (output / name for name in _REMOVE):
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            raise SpecflowError(f"{folder}: got a link or a file; expected a folder, or nothing")
    _written(output)
    noted_in(output / "tables")


def note_written(output: Path, path: Path) -> None:
    """Add a table or figure that was written to the list of them.

    Raises:
        SpecflowError: If the list cannot be read or written.
    """
    name = path.relative_to(output).as_posix()
    write_json(output / WRITTEN, _written(output) | {name: digest_of(path)}, sort_keys=True)


def remove_written(output: Path) -> None:
    """Remove the tables and figures that an earlier call left, perhaps one that made others.

    What has changed since stays, as do links, and all that is not in the list.

    Raises:
        SpecflowError: As for `check_output`, or if a file cannot be removed.
    """
    check_output(output)
    for name, digest in _written(output).items():
        path = output / name
        try:
            if path.is_file() and not path.is_symlink() and digest_of(path) == digest:
                _REMOVE[path.parent.name](path)
        except OSError as error:
            raise SpecflowError(f"cannot remove {path}, an earlier result: {error}") from error
    write_json(output / WRITTEN, {})


def _written(output: Path) -> dict[str, str]:
    """Return the digests of what was noted, by names relative to the output."""
    path = output / WRITTEN
    with reading(path):
        return read_json_as(dict[_Name, str], path) if path.exists() else {}
