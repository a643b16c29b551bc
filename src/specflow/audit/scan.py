"""The pass over all steps that the audit judges: sums, sketches and hashes of every matrix."""

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from specflow.checkpoints.base import Checkpoints
from specflow.checkpoints.stream import batches, content_of, read_views, release_memory
from specflow.executor import Report
from specflow.scratch import Scratch
from specflow.spectra.side_by_side import map_matrices
from specflow.wiring.view import View
from specflow.wiring.wiring import Matrix

_SKETCH_LENGTH = 64  # numbers a matrix
_ALL_SKETCHES = 8192  # numbers a step at least: squared distances are then off by about 2%
_CHUNK = 2**15  # entries at a time: they stay in the cache


class MatrixScan(NamedTuple):
    """What one pass over a matrix tells of it and of its change since the step before.

    Attributes:
        finite: Whether all entries are; if not, all else is NaN.
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


@dataclass(frozen=True)
class StepScan:
    """What the audit knows of the weights of one step; M matrices.

    `finite` to `sketch` are those of `MatrixScan`, a row a matrix; False or NaN where not there.

    Attributes:
        there: Which matrices the step has in the expected shape, (M,), bool.
        content: Hash of all parameters that are analysed.
    """

    there: np.ndarray
    finite: np.ndarray
    square: np.ndarray
    change: np.ndarray
    product: np.ndarray
    sketch: np.ndarray
    content: str


def scan_steps(
    checkpoints: Checkpoints,
    matrices: Sequence[Matrix],
    scratch: Scratch,
    report: Report,
    workers: int,
) -> list[StepScan]:
    """Return the scans of all steps; those that are kept in scratch are not made again.

    Raises:
        SpecflowError: If a file is broken or a scan cannot be kept.
    """
    scans = []
    for index in range(len(checkpoints.steps)):
        scan = partial(_scan, checkpoints, matrices, index, workers)
        kept = scratch.remember(f"scan{index:06d}", scan).items()
        taken_up: dict[str, Any] = {k: v if isinstance(v, str) else v.numpy() for k, v in kept}
        scans.append(StepScan(**taken_up))
        report(1)
    return scans


def _scan(
    checkpoints: Checkpoints, matrices: Sequence[Matrix], index: int, workers: int
) -> dict[str, Tensor | str]:
    """Return what is kept of a `StepScan`."""
    names = {matrix.view: matrix.name for matrix in matrices}
    length = max(_SKETCH_LENGTH, _ALL_SKETCHES // len(matrices))
    found: dict[View, MatrixScan] = {}
    digest = hashlib.sha256()
    with ExitStack() as stack:
        now = stack.enter_context(checkpoints.open(index))
        before = stack.enter_context(checkpoints.open(index - 1)) if index else None
        for batch in batches(names, now.infos, workers):
            weights = read_views(now, batch)
            for view, content in map_matrices(_hash, weights, workers).items():
                digest.update(names[view].encode())
                digest.update(content)
            others = {} if before is None else read_views(before, batch)
            found |= _scan_batch(weights, others, names, length, workers)
            del weights, others
            release_memory()
    absent = MatrixScan(False, np.nan, np.nan, np.nan, np.full(length, np.nan))
    rows = [found.get(view, absent) for view in names]
    columns = {
        field: torch.from_numpy(np.array([getattr(row, field) for row in rows]))
        for field in MatrixScan._fields
    }
    there = torch.tensor([view in found for view in names])
    return {"there": there, "content": digest.hexdigest(), **columns}


def _hash(_: View, weight: Tensor) -> bytes:
    return hashlib.sha256(content_of(weight)).digest()


def _scan_batch(
    weights: Mapping[View, Tensor],
    before: Mapping[View, Tensor],
    names: Mapping[View, str],
    length: int,
    workers: int,
) -> dict[View, MatrixScan]:
    def scan(view: View, weight: Tensor) -> MatrixScan:
        return scan_matrix(names[view], weight, before.get(view), length)

    return map_matrices(scan, weights, workers)


def scan_matrix(name: str, matrix: Tensor, before: Tensor | None, length: int) -> MatrixScan:
    """Return sums and the sketch of a matrix, in float64.

    A sketch is a few numbers whose distances are those of the matrices, all but a little: every
    entry is added to one of B numbers with a random sign (Charikar et al. 2002, count sketch). It
    is linear in the matrix, and its squared norm is that of the matrix with a standard deviation
    of sqrt(2 / B), exactly if the matrix has no more than B entries.

    Args:
        name: Decides the signs, so that sketches of one name can be compared.
        matrix: Any shape; not modified.
        before: The matrix at the step before, of the same shape, if there is one.
        length: Number of entries B of the sketch.
    """
    if matrix.numel() and not torch.stack(matrix.aminmax()).isfinite().all():
        return MatrixScan(False, np.nan, np.nan, np.nan, np.full(length, np.nan))
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
    return MatrixScan(True, square, change, product, sketch.numpy())


def _signs(random: np.random.Generator, count: int) -> Tensor:
    bits = np.unpackbits(np.frombuffer(random.bytes(-(-count // 8)), dtype=np.uint8), count=count)
    return torch.from_numpy(bits).double().mul_(2).sub_(1)


def _folded(entries: Tensor, length: int) -> Tensor:
    """Return entries summed into `length` places."""
    missing = -len(entries) % length
    return torch.nn.functional.pad(entries, (0, missing)).view(-1, length).sum(0)
