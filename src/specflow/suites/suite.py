"""A suite: the steps of one model's training, read tensor by tensor, and what they should hold."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate, groupby
from pathlib import Path

from torch import Tensor

from specflow.params.suites import SuiteParams
from specflow.suites.checkpoint import CheckpointFile, TensorInfo
from specflow.suites.files import open_checkpoint
from specflow.suites.layout import wiring_of
from specflow.suites.matrices import SuiteMatrix
from specflow.suites.sources import SuiteStep, find_steps
from specflow.suites.splitting import FLOATS
from specflow.suites.wiring import SuiteWiring

_EACH_WORKER = 2**25  # bytes of a batch

Tensors = Mapping[str, TensorInfo]


@dataclass(frozen=True)
class Suite:
    """All steps of a suite.

    Attributes:
        params: What was asked for.
        steps: The steps, ascending; at least one.
        tensors: What each step holds, by name.
        expected: What most steps hold, by name; each in its most frequent shape.
        wiring: Matrices and pairs of the expected tensors.
        unreadable: Why entries of a file are no tensors, by their name.
    """

    params: SuiteParams
    steps: Sequence[SuiteStep]
    tensors: Sequence[Tensors]
    expected: Tensors
    wiring: SuiteWiring
    unreadable: Mapping[str, str]

    def batches(self, matrices: Iterable[SuiteMatrix], workers: int) -> list[list[SuiteMatrix]]:
        """Return matrices in batches that fit into memory together, a parameter always whole.

        A batch is at most as large as the largest parameter, or as `workers` typical ones (half of
        all bytes are in larger ones), or 32 MiB for each worker: so memory is a few times the
        largest matrix, and threads have work side by side.

        Args:
            matrices: Some of `wiring.views`, in any order.
            workers: Threads, one matrix each.
        """
        groups: dict[str, list[SuiteMatrix]] = {}
        for matrix in matrices:
            groups.setdefault(matrix.parameter, []).append(matrix)
        sizes = {parameter: _bytes(self.expected[parameter]) for parameter in groups}
        budget = max(workers * max(_EACH_WORKER, _typical(sizes.values())), *sizes.values(), 0)
        batches: list[list[SuiteMatrix]] = []
        held = 0
        for parameter, group in groups.items():
            if not batches or held + sizes[parameter] > budget:
                batches.append([])
                held = 0
            batches[-1] += group
            held += sizes[parameter]
        return batches

    def holds(self, tensors: Tensors, name: str) -> bool:
        """Return whether a step has an expected tensor: in its shape, in floating point."""
        info = tensors.get(name)
        shape = self.expected[name].shape
        return info is not None and info.shape == shape and info.dtype in FLOATS

    @contextmanager
    def open(self, index: int) -> Iterator[CheckpointFile]:
        """Open one step.

        Args:
            index: Its number, from 0.

        Yields:
            The checkpoint.
        """
        step = self.steps[index]
        with open_checkpoint(step.path, self.params.key, step.index) as file:
            yield file

    def read(self, file: CheckpointFile, matrices: Sequence[SuiteMatrix]) -> dict[str, Tensor]:
        """Return matrices of an open step by name, without those that it does not hold."""
        found: dict[str, Tensor] = {}
        for parameter, group in groupby(matrices, lambda matrix: matrix.parameter):
            if self.holds(file.tensors, parameter):
                tensor = file.read(parameter)
                found |= {matrix.name: matrix.take(tensor) for matrix in group}
        return found


def open_suite(params: SuiteParams, root: Path) -> Suite:
    """Return a suite after reading what each step says it holds.

    Args:
        params: Files, layout and what to leave out.
        root: Folder that relative paths start from.

    Returns:
        The suite; no weight has been read.

    Raises:
        SuiteError: If a file is broken, or a name or a shape does not fit the layout.
    """
    steps = find_steps(params, root)
    tensors: list[Tensors] = []
    unreadable: dict[str, str] = {}
    for step in steps:
        with open_checkpoint(step.path, params.key, step.index) as file:
            tensors.append(dict(file.tensors))
            unreadable |= file.skipped
    expected = expected_tensors(tensors)
    return Suite(params, steps, tensors, expected, wiring_of(expected, params), unreadable)


def expected_tensors(steps: Sequence[Tensors]) -> dict[str, TensorInfo]:
    """Return what most steps hold.

    Args:
        steps: Tensors of each step by name.

    Returns:
        The tensors that more than half of the steps have (half, if the last step is among them),
        in their most frequent shape; a later step's where two are as frequent.
    """
    counts: Counter[str] = Counter(name for tensors in steps for name in tensors)
    expected = {}
    for name, count in counts.items():
        if 2 * count > len(steps) or (2 * count == len(steps) and name in steps[-1]):
            infos = [tensors[name] for tensors in reversed(steps) if name in tensors]
            shape = Counter(info.shape for info in infos).most_common(1)[0][0]
            expected[name] = next(info for info in infos if info.shape == shape)
    return expected


def _bytes(info: TensorInfo) -> int:
    return math.prod(info.shape) * info.dtype.itemsize


def _typical(sizes: Iterable[int]) -> int:
    """Return the size for which half of the sum is in larger ones; 0 if there are none."""
    descending = sorted(sizes, reverse=True)
    total, sums = sum(descending), zip(descending, accumulate(descending), strict=True)
    return next((size for size, held in sums if 2 * held >= total), 0)
