"""Agreement of any two steps, from the few leading singular vectors that are kept of every step."""

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from specflow.hdf5 import open_file, write
from specflow.layouts import Layout
from specflow.spectra import Decomposition
from specflow.suites.measures import is_defined

LEADING = Layout("suite leading vectors", 1)


def write_leading(group: h5py.Group, parts: Decomposition, count: int) -> None:
    """Write the leading singular vectors of a matrix, rounded to float32.

    Args:
        group: Where to.
        parts: Its decomposition.
        count: How many of its vectors; NaN is written if it is not defined.
    """
    defined = is_defined(parts.S)
    for name, vectors in (("U", parts.U.mT[:count]), ("Vh", parts.Vh[:count])):
        kept = vectors.float().numpy()
        write(group, name, kept if defined else np.full_like(kept, np.nan))


def agreement_scores(paths: Sequence[Path], matrix: str) -> NDArray[np.float64]:
    """Return the agreement score of one matrix at any two steps.

    Memory is that of `count` vectors of T steps, a file being open at a time.

    Args:
        paths: Files of the T steps.
        matrix: Group that `write_leading` wrote in each.

    Returns:
        Shape (T, T), symmetric; the mean over the vectors of |<u, u'> <v, v'>|, NaN where the
        matrix is not defined at one of the two steps.
    """
    left, right = _of_all_steps(paths, f"{matrix}/U"), _of_all_steps(paths, f"{matrix}/Vh")
    total = np.zeros((len(paths), len(paths)))
    with threadpool_limits(1, user_api="blas"):  # the last bits depend on the number of threads
        for U, V in zip(left, right, strict=True):
            total += abs(_products(U) * _products(V))
    return total / len(left)


def _of_all_steps(paths: Sequence[Path], name: str) -> NDArray[np.float32]:
    """Return the vectors of all steps, shape (count, T, length)."""
    found = None
    for place, path in enumerate(paths):
        with open_file(path, LEADING) as file:
            vectors = file[name][...]
        if found is None:
            found = np.empty((len(vectors), len(paths), vectors.shape[1]), np.float32)
        found[:, place] = vectors
    assert found is not None, "a suite has a step"
    return found


def _products(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    exact = vectors.astype(np.float64)
    return exact @ exact.T
