"""Files of specflow that others have changed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from specflow.seal import seal, seal_of

LENGTH = 40  # bytes of a seal


@contextmanager
def edited(path: Path) -> Iterator[h5py.File]:
    """Yield an HDF5 file to be changed by hand; it is sealed again after that."""
    assert seal_of(path)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - LENGTH)
    with h5py.File(path, "r+") as file:
        yield file
    with path.open("r+b") as file:
        seal(file)
