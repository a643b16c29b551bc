"""Kind and version of every file of measures; a version changes with its layout."""

import numpy as np

from specflow.hdf5 import Layout

SPECTRA = Layout("spectra", 3)
PRUNING = Layout("pruning", 2)
CONNECTION = Layout("connection", 2)
TICKET = Layout("ticket", 2)
SAMPLES = Layout("samples", 1)
LEADING = Layout("leading", 1)
GIVEN = "given"  # what a file of a watched training has of its steps beside spectra: losses
_COMPARED = 256


def compared_steps(count: int) -> np.ndarray:
    """Return which of `count` steps a file of spectra compares any two of: at most 256."""
    return evenly(count, _COMPARED)


def evenly(count: int, most: int) -> np.ndarray:
    """Return at most so many of `count` steps, evenly, the first and the last among them."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(int)
