"""The pass over all steps that the audit judges: sums, sketches and hashes of every matrix."""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from specflow.audit.sketch import Scan, scan_matrix
from specflow.checkpoints.base import Checkpoints
from specflow.checkpoints.stream import batches, content_of, read_views, release_memory
from specflow.executor import Report
from specflow.scratch import Scratch
from specflow.spectra.side_by_side import map_matrices
from specflow.wiring.view import View
from specflow.wiring.wiring import Matrix

_SKETCH_LENGTH = 64  # numbers a matrix
_ALL_SKETCHES = 8192  # numbers a step at least: squared distances are then off by about 2%


@dataclass(frozen=True)
class StepScan:
    """What the audit knows of the weights of one step; M matrices.

    Attributes:
        there: Which matrices the step has in the expected shape, (M,), bool.
        finite: Which of them are finite, (M,), bool.
        square: Sum of squared entries, (M,); NaN where not finite or not there.
        change: Sum of squared differences from the step before, (M,); NaN without one.
        product: Sum of products with the step before, (M,); NaN without one.
        sketch: Shape (M, B).
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
    """Return the scans of all steps; those that are kept already are not made again.

    Args:
        checkpoints: The steps.
        matrices: What is analysed.
        scratch: Where scans are kept.
        report: Called with 1 after each step.
        workers: Threads, one matrix each.

    Raises:
        SpecflowError: If a file is broken or a scan cannot be kept.
    """
    scans = []
    for index in range(len(checkpoints.steps)):
        name = f"scan{index:06d}"
        if not scratch.has(name):
            scan = _scan(checkpoints, matrices, index, workers)
            scratch.save(name, {key: _kept(value) for key, value in vars(scan).items()})
        kept = scratch.load(name).items()
        taken_up: dict[str, Any] = {k: v if isinstance(v, str) else v.numpy() for k, v in kept}
        scans.append(StepScan(**taken_up))
        report(1)
    return scans


def _kept(value: np.ndarray | str) -> Tensor | str:
    return value if isinstance(value, str) else torch.from_numpy(value)


def _scan(
    checkpoints: Checkpoints, matrices: Sequence[Matrix], index: int, workers: int
) -> StepScan:
    names = {matrix.view: matrix.name for matrix in matrices}
    length = max(_SKETCH_LENGTH, _ALL_SKETCHES // len(matrices))
    found: dict[View, Scan] = {}
    digest = hashlib.blake2b(digest_size=16)
    with ExitStack() as stack:
        now = stack.enter_context(checkpoints.open(index))
        before = stack.enter_context(checkpoints.open(index - 1)) if index else None
        for batch in batches(names, now.infos, workers):
            weights = read_views(now, batch)
            _hash(digest, weights, names)
            others = {} if before is None else read_views(before, batch)
            found |= _scan_batch(weights, others, names, length, workers)
            del weights, others
            release_memory()
    return _joined([found.get(view) for view in names], length, digest.hexdigest())


def _hash(
    digest: "hashlib.blake2b", weights: Mapping[View, Tensor], names: Mapping[View, str]
) -> None:
    for view, weight in weights.items():
        digest.update(names[view].encode())
        digest.update(content_of(weight))


def _scan_batch(
    weights: Mapping[View, Tensor],
    before: Mapping[View, Tensor],
    names: Mapping[View, str],
    length: int,
    workers: int,
) -> dict[View, Scan]:
    def scan(view: View, weight: Tensor) -> Scan:
        return scan_matrix(names[view], weight, before.get(view), length)

    return map_matrices(scan, weights, workers)


def _joined(scans: Sequence[Scan | None], length: int, content: str) -> StepScan:
    absent = Scan(False, np.nan, np.nan, np.nan, np.full(length, np.nan))
    given = [scan or absent for scan in scans]
    return StepScan(
        there=np.array([scan is not None for scan in scans]),
        finite=np.array([scan.finite for scan in given]),
        square=np.array([scan.square for scan in given]),
        change=np.array([scan.change for scan in given]),
        product=np.array([scan.product for scan in given]),
        sketch=np.stack([scan.sketch for scan in given]),
        content=content,
    )
