"""Writing and opening HDF5 files: whole or not at all, of a known kind and version."""

import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from specflow.errors import SpecflowError
from specflow.textfiles import writing


class Layout(NamedTuple):
    """What a file is, and the version of its layout."""

    kind: str
    version: int


class BrokenFileError(SpecflowError):
    """A file that is missing, incomplete, or of another kind or version."""


@contextmanager
def create(
    path: Path, layout: Layout, attributes: Mapping[str, str | int | float]
) -> Iterator[h5py.File]:
    """Write a file beside its place and move it there when it is complete.

    The bytes depend on the content alone as long as datasets are created in one order: no time
    stamps, no compression, one session. Missing folders are made.

    Yields:
        The open file, which has the attributes and its layout already.

    Raises:
        SpecflowError: If the file cannot be written (a full disk); nothing is left behind then.
    """
    part = path.with_name(path.name + ".part")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        sink = _Sink(part)
    try:
        with sink:
            with h5py.File(sink, "w") as file:
                for key, value in {**attributes, **layout._asdict()}.items():
                    file.attrs[key] = value
                yield file
            with writing(path):
                sink.finish()
        with writing(path):
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)


class _Sink(io.FileIO):
    """The file below HDF5, which keeps a failed write to itself until `finish`.

    HDF5 does not survive one: it may be flushing a dataset that goes out of scope, or closing the
    file, and then crashes the process. So what follows a failed write is dropped, as the whole
    file will be.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, "w+")
        self._error: OSError | None = None

    def write(self, data: Any) -> int:
        left = view = memoryview(data)
        try:
            while left and self._error is None:
                left = left[super().write(left) :]
        except OSError as error:
            self._error = error
        return view.nbytes

    def truncate(self, size: int | None = None) -> int:
        return super().truncate(size) if self._error is None else 0

    def finish(self) -> None:
        """Raise what went wrong while HDF5 was writing."""
        if self._error is not None:
            raise self._error
        os.fsync(self.fileno())


@contextmanager
def open_file(path: Path, layout: Layout) -> Iterator[h5py.File]:
    """Open a file for reading after checking that it is what it should be.

    Yields:
        The open file.

    Raises:
        BrokenFileError: If the file is missing, truncated, no HDF5, or of another kind or version.
    """
    advice = "`dvc checkout --force` restores it from the cache, `dvc repro` makes it again"
    if not path.exists():
        raise BrokenFileError(f"{path}: there is no such file; expected a {layout.kind}; {advice}")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise BrokenFileError(f"{path}: broken or truncated ({error}); {advice}") from error
    with file:
        found = (file.attrs.get("kind"), file.attrs.get("version"))
        if found != layout:
            raise BrokenFileError(
                f"{path}: got {found[0]} of version {found[1]}; "
                f"expected {layout.kind} of version {layout.version}; {advice}"
            )
        yield file


def write(group: h5py.Group, name: str, values: np.ndarray | list) -> h5py.Dataset:
    """Write one array without a time stamp; slashes in its name make groups."""
    return group.create_dataset(name, data=np.asarray(values), track_times=False)


def write_row(
    group: h5py.Group, values: Mapping[str, np.ndarray | float], index: int, length: int
) -> None:
    """Write row `index` of `length` rows of arrays by name, a row a chunk.

    Rows are written in ascending order; the first, number 0, creates the datasets.
    """
    for name in sorted(values):
        value = np.asarray(values[name])
        if index == 0:
            shape = (length, *value.shape)
            chunks = (1, *(max(size, 1) for size in value.shape)) if value.shape else None
            group.create_dataset(name, shape, value.dtype, chunks=chunks, track_times=False)
        group[name][index] = value
