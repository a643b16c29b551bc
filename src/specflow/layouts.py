"""Kind and version of every HDF5 file of the project; a version changes with its layout."""

from typing import NamedTuple


class Layout(NamedTuple):
    """What a file is, and the version of its layout."""

    kind: str
    version: int


DATASET = Layout("dataset", 1)
TRAJECTORY = Layout("trajectory", 2)
SPECTRA = Layout("spectra", 2)
PRUNING = Layout("pruning", 1)
CONNECTION = Layout("connection", 1)
TICKET = Layout("ticket", 1)
SAMPLES = Layout("samples", 1)
