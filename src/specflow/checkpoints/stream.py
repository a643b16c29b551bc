"""Reading many steps without holding a model: what most steps hold, batches, matrices of a step."""

import ctypes
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

from specflow.checkpoints.base import Checkpoints, Infos, Tensors, expect
from specflow.checkpoints.broken import Broken
from specflow.checkpoints.effective.tensors import Effective, quantized_part
from specflow.wiring.tensors import FLOATS, TensorInfo
from specflow.wiring.view import View

_EACH_WORKER = 2**26  # bytes of a batch
MOST = 2**12  # tensors of a batch: what is made of small ones is larger than they are


@dataclass(frozen=True)
class Contents:
    """What the steps say that they hold; no weight has been read.

    Attributes:
        infos: The tensors of each step.
        expected: What most steps hold; each tensor in its most frequent shape.
        unreadable: Why entries are no tensors that layers apply, by their name.
        composed: How tensors are made of others, by their name.
        quantized: What part of each step is quantized and not read; None of one without.
    """

    infos: tuple[Infos, ...]
    expected: Infos
    unreadable: Mapping[str, str]
    composed: Mapping[str, str]
    quantized: tuple[str | None, ...]


def contents_of(checkpoints: Checkpoints) -> Contents:
    """Return what all steps hold, each being opened once.

    Raises:
        SpecflowError: If files are broken; it names all.
    """
    infos: list[Infos] = []
    unreadable: dict[str, str] = {}
    composed: dict[str, str] = {}
    quantized: list[str | None] = []
    broken = Broken()
    for index in range(len(checkpoints.steps)):
        with broken.noted(), checkpoints.open(index) as tensors:
            infos.append(dict(tensors.infos))
            unreadable |= tensors.skipped
            composed |= tensors.composed if isinstance(tensors, Effective) else {}
            quantized.append(quantized_part(tensors))
    broken.check()
    expected = expected_tensors(infos)
    return Contents(tuple(infos), expected, unreadable, composed, tuple(quantized))


def expected_tensors(steps: Sequence[Infos]) -> dict[str, TensorInfo]:
    """Return the tensors that more than half of the steps have, or half of them with the last.

    Each is in its most frequent shape that has entries; a later step's where two are as frequent.
    """
    if len(steps) == 1:
        return dict(steps[0])
    counts: Counter[str] = Counter(name for infos in steps for name in infos)
    expected = {}
    for name, count in counts.items():
        if 2 * count > len(steps) or (2 * count == len(steps) and name in steps[-1]):
            found = [infos[name] for infos in reversed(steps) if name in infos]
            whole = [info for info in found if 0 not in info.shape] or found
            shape = Counter(info.shape for info in whole).most_common(1)[0][0]
            expected[name] = next(info for info in found if info.shape == shape)
    return expected


def holds(infos: Infos, tensor: str, shape: tuple[int, ...]) -> bool:
    """Return whether a step has a tensor as expected: in this shape, in floating point."""
    info = infos.get(tensor)
    return info is not None and info.shape == shape and info.dtype in FLOATS


def batches(views: Iterable[View], infos: Infos, workers: int) -> list[list[View]]:
    """Return views in batches that fit into memory together, in the order of their tensors.

    A batch is at most as large as the largest tensor, or as `workers` typical ones (half of all
    bytes are in larger ones), or 64 MiB for each worker, and at most of 4096 tensors: so memory is
    a few times the largest matrix, and threads have work side by side. A tensor is always whole;
    one that is not in `infos` takes no memory.
    """
    groups: dict[str, list[View]] = {}
    for view in views:
        groups.setdefault(view.tensor, []).append(view)
    sizes = {tensor: _num_bytes(infos.get(tensor)) for tensor in groups}
    budget = max(workers * max(_EACH_WORKER, _typical(sizes.values())), *sizes.values(), 0)
    found: list[list[View]] = []
    held = count = 0
    for tensor, group in groups.items():
        if not found or held + sizes[tensor] > budget or count == MOST:
            found.append([])
            held = count = 0
        found[-1] += group
        held += sizes[tensor]
        count += 1
    return found


def read_views(tensors: Tensors, views: Iterable[View]) -> dict[View, Tensor]:
    """Return matrices of an open step in the order of views, each of shape (rows, columns).

    A tensor is read once if its views follow each other. Left out are views whose tensor the step
    does not have, has in another shape, or not in floating point.
    """
    found: dict[View, Tensor] = {}
    name, tensor = "", None
    held = [view for view in views if holds(tensors.infos, view.tensor, view.shape)]
    expect(tensors, dict.fromkeys(view.tensor for view in held))
    for view in held:
        if tensor is None or view.tensor != name:
            name, tensor = view.tensor, tensors.read(view.tensor)
        found[view] = view.of(tensor)
    return found


def content_of(tensor: Tensor) -> memoryview:
    """Return the bytes of a tensor on the CPU, row by row."""
    return tensor.contiguous().view(-1).view(torch.uint8).numpy().data


def release_memory() -> None:
    """Give freed memory back, where the C library can (glibc); elsewhere do nothing.

    Threads of a pool free large work arrays between small ones that stay for a while; glibc keeps
    such gaps for each thread, and over the batches of a step they come to gigabytes.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _num_bytes(info: TensorInfo | None) -> int:
    return 0 if info is None else math.prod(info.shape) * info.dtype.itemsize


def _typical(sizes: Iterable[int]) -> int:
    """Return the size for which half of the sum is in larger ones; 0 if there are none."""
    descending = sorted(sizes, reverse=True)
    total, sums = sum(descending), zip(descending, accumulate(descending), strict=True)
    return next((size for size, held in sums if 2 * held >= total), 0)
