"""The pass over all tensors of all steps that the audit judges: hashes, and samples of entries."""

import hashlib
import math
import zlib
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from specflow.checkpoints.base import Checkpoints, Tensors, expect
from specflow.checkpoints.stream import content_of, release_memory
from specflow.executor import Report
from specflow.scratch import Scratch
from specflow.wiring.tensors import FLOATS

_ALL_SAMPLES = 2**17  # entries a step: sums of squares over all tensors are then off by 0.4%
_FEWEST = 32  # entries of a tensor, where there are thousands of tensors
_IN_FLIGHT = 2**28  # bytes of tensors that are read ahead
_SMALL = 2**16  # bytes; to hand over a tensor of fewer takes longer than to scan it


class TensorScan(NamedTuple):
    """What one pass over a tensor tells of it.

    Attributes:
        digest: SHA-256 of its dtype, shape and bytes.
        finite: Whether all entries are.
        zero: Whether all entries are 0, of numbers in floating point; False if there are none.
        sample: Some entries, at the same places at all steps, shape (n,), float32.
    """

    digest: str
    finite: bool
    zero: bool
    sample: NDArray[np.float32]


StepScan = Mapping[str, TensorScan]


def scan_steps(
    checkpoints: Checkpoints, tensors: int, scratch: Scratch, report: Report, workers: int
) -> list[StepScan]:
    """Return the scans of all tensors of all steps; those kept in scratch are not made again.

    Args:
        checkpoints: The steps.
        tensors: How many a step has, of which all samples together are made.
        scratch: Where finished steps are kept.
        report: Called with 1 after each step.
        workers: Threads, a tensor each, beside the one that reads.

    Raises:
        SpecflowError: If a file is broken or a scan cannot be kept.
    """
    scans: list[StepScan] = []
    for index in range(len(checkpoints.steps)):
        scans.append(scan_step(checkpoints, index, tensors, scratch, workers))
        report(1)
    return scans


def scan_step(
    checkpoints: Checkpoints, index: int, tensors: int, scratch: Scratch, workers: int
) -> StepScan:
    """Return the scans of the step number `index`. Arguments and errors as for `scan_steps`."""
    length = max(_ALL_SAMPLES // max(tensors, 1), _FEWEST)
    scan = partial(_scan, checkpoints, index, length, workers)
    return _taken_up(**scratch.remember(scan_name(index), scan))


def scan_name(index: int) -> str:
    """Return the name of what is kept of the scans of a step."""
    return f"scan{index:06d}"


def scan_tensor(name: str, tensor: Tensor, length: int) -> TensorScan:
    """Return hash, soundness and a sample of a tensor.

    The sample is all of a tensor of up to n entries, else n of them, drawn with its name and size
    as the seed, so that steps can be compared. The mean squared difference of two samples is that
    of the tensors with a relative standard deviation of sqrt(2 / n) if the differences are normal,
    and of sqrt(k / n) if their fourth moment is k + 1 times their squared variance.

    Args:
        name: Name of the tensor.
        tensor: Any shape and dtype; not modified.
        length: Number of entries n.
    """
    digest = hashlib.sha256(f"{tensor.dtype} {tuple(tensor.shape)} ".encode())
    digest.update(content_of(tensor))
    entries = tensor.reshape(-1)
    if len(entries) > length:
        seed = zlib.crc32(f"{name} {len(entries)}".encode())
        random = np.random.Generator(np.random.PCG64(seed))
        entries = entries[torch.from_numpy(np.sort(random.integers(len(entries), size=length)))]
    finite, zero = _soundness(tensor)
    numbers = torch.view_as_real(entries) if entries.is_complex() else entries
    return TensorScan(digest.hexdigest(), finite, zero, numbers.float().reshape(-1).numpy())


def _soundness(tensor: Tensor) -> tuple[bool, bool]:
    """Return whether all entries are finite, and whether all are 0."""
    if not tensor.numel() or not (tensor.is_floating_point() or tensor.is_complex()):
        return True, False
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor)
    elif tensor.dtype not in FLOATS:
        tensor = tensor.float()  # of 8 bits
    least, most = (float(end) for end in tensor.aminmax())  # NaN if any entry is
    return math.isfinite(least) and math.isfinite(most), least == most == 0


def _scan(checkpoints: Checkpoints, index: int, length: int, workers: int) -> dict[str, Any]:
    """Return what is kept of the scans of a step: few large parts, however many tensors."""
    with checkpoints.open(index) as tensors:
        scans = _scan_all(tensors, length, workers)
    samples = [scan.sample for scan in scans.values()]
    return {
        "names": list(scans),
        "digests": [scan.digest for scan in scans.values()],
        "sound": torch.tensor([(scan.finite, scan.zero) for scan in scans.values()]),
        "lengths": [len(sample) for sample in samples],
        "samples": torch.from_numpy(np.concatenate(samples)) if samples else torch.zeros(0),
    }


def _taken_up(
    names: list[str], digests: list[str], sound: Tensor, lengths: list[int], samples: Tensor
) -> dict[str, TensorScan]:
    parts = np.split(samples.numpy(), np.cumsum(lengths)[:-1]) if lengths else []
    rows = zip(names, digests, sound.tolist(), parts, strict=True)
    return {
        name: TensorScan(digest, finite, zero, part) for name, digest, (finite, zero), part in rows
    }


def _scan_all(tensors: Tensors, length: int, workers: int) -> dict[str, TensorScan]:
    """Scan tensors in threads while others are read, a few tensors in memory at any time."""
    waiting: deque[tuple[int, Future[TensorScan]]] = deque()
    futures: dict[str, Future[TensorScan]] = {}
    scans: dict[str, TensorScan] = {}
    held = freed = 0
    expect(tensors, tensors.infos)
    with ThreadPoolExecutor(workers) as pool:
        try:
            for name in tensors.infos:
                tensor = tensors.read(name)
                if tensor.nbytes < _SMALL:
                    scans[name] = scan_tensor(name, tensor, length)
                    continue
                futures[name] = pool.submit(scan_tensor, name, tensor, length)
                waiting.append((tensor.nbytes, futures[name]))
                held += tensor.nbytes
                del tensor  # the pool has it
                while held > _IN_FLIGHT and waiting:
                    size, oldest = waiting.popleft()
                    oldest.result()
                    held, freed = held - size, freed + size
                if freed > _IN_FLIGHT:
                    release_memory()
                    freed = 0
            scans |= {name: future.result() for name, future in futures.items()}
            return {name: scans[name] for name in tensors.infos}
        finally:
            pool.shutdown(cancel_futures=True)
