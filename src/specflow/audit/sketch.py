"""Sketches: matrices as a few numbers whose distances are those of the matrices, all but a little.

Every entry is added to one of B numbers with a random sign (Charikar et al. 2002, count sketch).
The sketch is linear in the matrix, and the squared norm of a sketch is that of the matrix with a
standard deviation of sqrt(2 / B), exactly if the matrix has no more than B entries.
"""

import zlib
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

_CHUNK = 2**20  # entries at a time


class Scan(NamedTuple):
    """What one pass over a matrix tells of it and of its change since the step before.

    Attributes:
        finite: Whether all entries are.
        square: Sum of the squared entries.
        change: Sum of the squared differences from the matrix before; NaN without one.
        product: Sum of the products with the entries of the matrix before; NaN without one.
        sketch: Shape (B,), float64.
    """

    finite: bool
    square: float
    change: float
    product: float
    sketch: np.ndarray


def scan_matrix(name: str, matrix: Tensor, before: Tensor | None, length: int) -> Scan:
    """Return sums and the sketch of a matrix, in float64.

    Args:
        name: Decides the signs, so that sketches of one name can be compared.
        matrix: Any shape; not modified.
        before: The matrix at the step before, of the same shape, if there is one.
        length: Number of entries B of the sketch.

    Returns:
        The sums; a matrix that is not finite has NaN for all of them.
    """
    undefined = np.full(length, np.nan)
    if matrix.numel() and not torch.stack(matrix.aminmax()).isfinite().all():
        return Scan(False, np.nan, np.nan, np.nan, undefined)
    random = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    entries, entries_before = matrix.reshape(-1), None if before is None else before.reshape(-1)
    chunk = max(_CHUNK // length, 1) * length
    square, change, product, sketch = 0.0, 0.0, 0.0, torch.zeros(length, dtype=torch.float64)
    for start in range(0, len(entries), chunk):
        part = entries[start : start + chunk].double()
        square += float(part @ part)
        if entries_before is not None:
            part_before = entries_before[start : start + chunk].double()
            difference = part - part_before
            change += float(difference @ difference)
            product += float(part @ part_before)
        sketch += _folded(part * _signs(random, len(part)), length)
    if entries_before is None:
        change = product = np.nan
    return Scan(True, square, change, product, sketch.numpy())


def _signs(random: np.random.Generator, count: int) -> Tensor:
    bits = np.unpackbits(np.frombuffer(random.bytes(-(-count // 8)), dtype=np.uint8), count=count)
    return torch.from_numpy(bits).double().mul_(2).sub_(1)


def _folded(entries: Tensor, length: int) -> Tensor:
    """Return entries summed into `length` places."""
    missing = -len(entries) % length
    return torch.nn.functional.pad(entries, (0, missing)).view(-1, length).sum(0)
