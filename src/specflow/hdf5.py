"""Writing and opening HDF5 files: whole or not at all, sealed, of a known kind and version.

What is done for each array goes through h5py's low-level modules, as there may be many thousands:
its own layer takes three times as long as HDF5 itself.
"""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5l, h5o, h5p, h5s, h5t

from specflow.errors import BrokenFileError, one_line
from specflow.seal import fault_of, seal, seal_of
from specflow.textfiles import PART, publish, writing

_TIMELESS = h5p.create(h5p.DATASET_CREATE)
_TIMELESS.set_obj_track_times(False)
_DOUBLE = np.dtype("<f8")
_TEXT = h5py.string_dtype()
_OF_H5PY = (OSError, LookupError, RuntimeError, SystemError, ValueError)
_own: set[str] = set()  # seals of files that this process wrote: they hold what it put into them


Attributes = Mapping[str, str | int | float]


class Layout(NamedTuple):
    """What a file is, and the version of its layout."""

    kind: str
    version: int


@contextmanager
def create(path: Path, layout: Layout, attributes: Attributes) -> Iterator[h5py.File]:
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
        digest = seal(self) if self._error is None else ""
        if self._error is not None:
            raise self._error
        _own.add(digest)


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
        raise BrokenFileError(path, f"there is no such file; expected one of kind {layout.kind}")
    state = path.stat()
    identity = (state.st_size, state.st_mtime_ns, state.st_ino)
    if fault := _fault(path.resolve(), layout, identity):
        raise BrokenFileError(path, fault)
    with h5py.File(path, "r") as file:
        yield file


def kind_in(path: Path) -> str | None:
    """Return what a file says it is, whole or not; None of what is no file of ours."""
    try:
        with h5py.File(path, "r") as file:
            kind = file.attrs.get("kind")
    except _OF_H5PY:
        return None
    return kind if isinstance(kind, str) else None


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
            if seal_of(path) not in _own and (name := _not_in(file)):
                return f"{name} lies outside of this file, or is not stored as specflow does it"
    except OSError as error:
        if error.errno:  # the system's, not h5py's
            raise
        return _unreadable(error)
    except _OF_H5PY as error:
        return _unreadable(error)
    return None


def _unreadable(error: Exception) -> str:
    return f"cannot be read ({one_line(error.__cause__ or error)})"


def _not_in(file: h5py.File) -> str | None:
    """Return the name of something that the file does not hold in itself; None if it holds all.

    Files may come from anywhere. A link or an external array reads another file, and an array that
    is larger than what is stored fills the memory.
    """

    def foreign(name: bytes, link: h5l.LinkInfo) -> str | None:
        found = h5o.open(file.id, name) if link.type == h5l.TYPE_HARD else None
        is_whole = isinstance(found, h5d.DatasetID) and _is_stored(found)
        return None if is_whole or isinstance(found, h5g.GroupID) else name.decode(errors="replace")

    return file.id.links.visit(foreign, info=True)


def _is_stored(data: h5d.DatasetID) -> bool:
    """Return whether a file itself holds all bytes of an array."""
    size = data.get_space().get_simple_extent_npoints() * data.get_type().get_size()
    if data.get_storage_size() < size:
        return False
    if data.get_offset() is not None:  # in one piece, and here
        return True
    made = data.get_create_plist()
    return made.get_external_count() == 0 and made.get_layout() != h5d.VIRTUAL


def write(group: h5py.Group, name: str, values: np.ndarray | list) -> None:
    """Write one array without a time stamp; slashes in its name make groups."""
    folder, _, last = name.rpartition("/")
    place = group.require_group(folder) if folder else group
    array = np.asarray(values, order="C")
    stored, held = _kinds(array.dtype)
    data = h5d.create(place.id, last.encode(), stored, _space(array.shape), _TIMELESS)
    data.write(h5s.ALL, h5s.ALL, array, held)


def describe(group: h5py.Group, name: str, attributes: Attributes) -> None:
    """Write attributes of what lies in a group by a name, which has none of them yet."""
    place = h5o.open(group.id, name.encode())
    for key, value in attributes.items():
        cell = np.asarray(value, dtype=_TEXT if isinstance(value, str) else None)
        stored, held = _kinds(cell.dtype)
        h5a.create(place, key.encode(), stored, _space(())).write(cell, held)


def read(group: h5py.Group, name: str) -> np.ndarray:
    """Return a whole array, by its path below a group.

    Raises:
        KeyError: If it is not there.
        OSError: If the file is damaged at it.
    """
    data = h5d.open(group.id, name.encode())
    kind = data.get_type()
    values = np.empty(data.shape, _DOUBLE if kind == h5t.IEEE_F64LE else kind.dtype)
    data.read(h5s.ALL, h5s.ALL, values, _kinds(values.dtype)[1])
    return values


@cache
def _kinds(dtype: np.dtype) -> tuple[h5t.TypeID, h5t.TypeID]:
    """Return the types of an array in a file and in memory."""
    return h5t.py_create(dtype, logical=True), h5t.py_create(dtype)


@cache
def _space(shape: tuple[int, ...]) -> h5s.SpaceID:
    return h5s.create_simple(shape)


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
