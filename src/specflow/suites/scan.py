"""The pass over a suite that its audit judges: sums, sketches and hashes of every step."""

import hashlib
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from specflow.executor import Report
from specflow.spectra.side_by_side import map_matrices
from specflow.suites.checkpoint import CheckpointFile
from specflow.suites.matrices import SuiteMatrix
from specflow.suites.memory import release_memory
from specflow.suites.partial import Partial
from specflow.suites.sketch import Scan, scan_matrix
from specflow.suites.suite import Suite

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


def scan_suite(suite: Suite, partial: Partial, report: Report, workers: int) -> list[StepScan]:
    """Return the scans of all steps; those that are kept already are not made again.

    Args:
        suite: The suite.
        partial: Where scans are kept.
        report: Called with 1 after each step.
        workers: Threads, one matrix each.

    Raises:
        SpecflowError: If a file is broken or a scan cannot be kept.
    """
    scans = []
    for index in range(len(suite.steps)):
        if not partial.has("scan", index):
            partial.save("scan", index, _to_arrays(_scan(suite, index, workers)))
        kept = partial.load("scan", index)
        scans.append(StepScan(**{**kept, "content": str(kept["content"])}))  # type: ignore[arg-type]
        report(1)
    return scans


def _scan(suite: Suite, index: int, workers: int) -> StepScan:
    found: dict[str, Scan] = {}
    matrices = suite.wiring.matrices
    length = max(_SKETCH_LENGTH, _ALL_SKETCHES // len(matrices))
    digest = hashlib.blake2b(digest_size=16)
    with ExitStack() as stack:
        now = stack.enter_context(suite.open(index))
        before = stack.enter_context(suite.open(index - 1)) if index else None
        for batch in suite.batches(matrices, workers):
            found |= _scan_batch(suite, now, before, batch, length, digest, workers)
            release_memory()
    return _joined([found.get(matrix.name) for matrix in matrices], length, digest.hexdigest())


def _scan_batch(
    suite: Suite,
    now: CheckpointFile,
    before: CheckpointFile | None,
    batch: Sequence[SuiteMatrix],
    length: int,
    digest: "hashlib.blake2b",
    workers: int,
) -> dict[str, Scan]:
    weights = suite.read(now, batch)
    for name, weight in weights.items():
        digest.update(name.encode())
        digest.update(_bytes(weight))
    weights_before = {} if before is None else suite.read(before, batch)

    def scan(name: str, weight: Tensor) -> Scan:
        return scan_matrix(name, weight, weights_before.get(name), length)

    return map_matrices(scan, weights, workers)


def _bytes(weight: Tensor) -> memoryview:
    return weight.contiguous().view(-1).view(torch.uint8).numpy().data


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


def _to_arrays(scan: StepScan) -> dict[str, np.ndarray]:
    return {name: np.asarray(value) for name, value in vars(scan).items()}
