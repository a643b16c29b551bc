"""Writing and opening HDF5 files: whole or not at all, sealed, of a known kind and version."""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from specflow.errors import BrokenFileError, one_line
from specflow.seal import fault_of, seal
from specflow.textfiles import PART, publish, writing


class Layout(NamedTuple):
    """What a file is, and the version of its layout."""

    kind: str
    version: int


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
    part = path.with_name(path.name + PART)
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
            publish(part, path)
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
        """Seal the file, or raise what went wrong while HDF5 was writing."""
        if self._error is None:
            seal(self)
        if self._error is not None:
            raise self._error


@contextmanager
def open_file(path: Path, layout: Layout) -> Iterator[h5py.File]:
    """Open a file for reading after checking that it is what was written.

    Its bytes are read for that once in a process, as long as nothing writes it.

    Yields:
        The open file.

    Raises:
        BrokenFileError: If the file is missing, truncated or damaged, no HDF5, of another kind or
            version, or not whole in itself: by links out of it, or data that are not in it.
    """
    if not path.exists():
        raise BrokenFileError(path, f"there is no such file; expected a {layout.kind}")
    state = path.stat()
    identity = (state.st_size, state.st_mtime_ns, state.st_ino)
    if fault := _fault(path.resolve(), layout, identity):
        raise BrokenFileError(path, fault)
    with h5py.File(path, "r") as file:
        yield file


@cache
def _fault(path: Path, layout: Layout, identity: tuple[int, ...]) -> str | None:
    """Return what is wrong with a file that has such a size, time and inode; None: nothing.

    Raises:
        OSError: If the system cannot read it.
    """
    try:
        if fault := fault_of(path):
            return fault
        with h5py.File(path, "r") as file:
            found = (file.attrs.get("kind"), file.attrs.get("version"))
            if found != layout:
                return (
                    f"got {found[0]} of version {found[1]}; "
                    f"expected {layout.kind} of version {layout.version}"
                )
            if name := _not_in(file):
                return f"{name} lies outside of this file, or is not stored as specflow does it"
    except OSError as error:
        if error.errno:  # the system's, not h5py's
            raise
        return _unreadable(error)
    except (LookupError, RuntimeError, SystemError, ValueError) as error:  # h5py's
        return _unreadable(error)
    return None


def _unreadable(error: Exception) -> str:
    return f"cannot be read ({one_line(error.__cause__ or error)})"


def _not_in(file: h5py.File) -> str | None:
    """Return the name of something that the file does not hold in itself; None if it holds all.

    Files may come from anywhere. A link or an external array reads another file, and an array that
    is larger than what is stored fills the memory.
    """

    def is_foreign(
        name: str, link: h5py.HardLink | h5py.SoftLink | h5py.ExternalLink
    ) -> str | None:
        if not isinstance(link, h5py.HardLink):
            return name
        data = file[name]
        if not isinstance(data, h5py.Dataset):
            return None
        outside = data.external or data.is_virtual
        return name if outside or data.id.get_storage_size() < data.nbytes else None

    return file.visititems_links(is_foreign)


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
