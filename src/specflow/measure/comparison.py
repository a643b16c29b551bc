"""Two networks of one shape compared: every tensor of either, and every matrix of both, streamed.

Tensors are told apart bit by bit; matrices by `spectra.difference`. Both networks are read batch by
batch, so that memory is a few times the largest matrix.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from specflow.checkpoints.base import Tensors
from specflow.checkpoints.stream import batches, holds, read_views, release_memory
from specflow.executor import Report
from specflow.spectra.difference import Difference, difference
from specflow.spectra.side_by_side import map_matrices
from specflow.wiring.names import in_natural_order
from specflow.wiring.tensors import TensorInfo
from specflow.wiring.view import View
from specflow.wiring.wiring import Matrix

Status = Literal[
    "identical", "equal values", "changed", "reshaped", "only in A", "only in B", "unreadable"
]
COUNT = 10  # leading singular vectors that scores are of


@dataclass(frozen=True)
class ComparedTensor:
    """A tensor of either network.

    Attributes:
        status: Identical bit for bit; of equal values in another dtype; changed; of another shape;
            only in one; or no readable tensor in one of the two.
        a: Its shape and dtype in A, None if it is not there or cannot be read.
        b: Those in B.
        evidence: Why it cannot be read, empty else.
    """

    status: Status
    a: TensorInfo | None
    b: TensorInfo | None
    evidence: str = ""


@dataclass(frozen=True)
class Comparison:
    """What sets two networks apart.

    Attributes:
        tensors: Every tensor of either, by name, in the order of A.
        matrices: Every matrix of both, in order of depth; None where one of the two is not finite.
    """

    tensors: Mapping[str, ComparedTensor]
    matrices: Mapping[Matrix, Difference | None]


def compare_tensors(
    a: Tensors, b: Tensors, matrices: Iterable[Matrix], report: Report, workers: int
) -> Comparison:
    """Compare the tensors of two open steps.

    Args:
        a: Those of A.
        b: Those of B.
        matrices: The matrices of A; those that B has in the same shape are compared.
        report: Called with how many tensors are finished.
        workers: Threads, a matrix each.

    Raises:
        SpecflowError: If a file is damaged.
        ArithmeticError: If a decomposition does not converge; names the matrix.
    """
    both = {m.view: m for m in matrices if holds(b.infos, m.view.tensor, m.view.shape)}
    changes: dict[View, Difference | None] = {}
    equal: dict[str, Status] = {}
    for batch in batches(both, a.infos, workers):
        first, second = read_views(a, batch), read_views(b, batch)
        changes |= _differences(first, second, both, workers)
        whole = [view for view in batch if not view.cuts]
        equal |= {view.tensor: _status(first[view], second[view]) for view in whole}
        report(len(whole))
        del first, second
        release_memory()
    compared = dict(_compared(a, b, equal, report))
    return Comparison(compared, {both[view]: changes[view] for view in both})


def _differences(
    a: Mapping[View, Tensor], b: Mapping[View, Tensor], named: Mapping[View, Matrix], workers: int
) -> dict[View, Difference | None]:
    def compare(view: View, weight: Tensor) -> Difference | None:
        other = b[view]
        both_finite = bool(weight.isfinite().all()) and bool(other.isfinite().all())
        return difference(weight, other, COUNT, view.groups) if both_finite else None

    by_name = {named[view].name: view for view in a}
    found = map_matrices(
        lambda name, weight: compare(by_name[name], weight),
        {name: a[view] for name, view in by_name.items()},
        workers,
    )
    return {by_name[name]: value for name, value in found.items()}


def _compared(
    a: Tensors, b: Tensors, known: Mapping[str, Status], report: Report
) -> Iterator[tuple[str, ComparedTensor]]:
    """Yield every tensor of either; those whose status is not known are read."""
    in_a = in_natural_order(set(a.skipped))
    in_b = in_natural_order((set(b.infos) | set(b.skipped)) - set(a.infos) - set(a.skipped))
    for name in (*a.infos, *in_a, *in_b):
        one, other = a.infos.get(name), b.infos.get(name)
        reasons = {"A": a.skipped.get(name), "B": b.skipped.get(name)}
        evidence = "; ".join(f"in {which}: {why}" for which, why in reasons.items() if why)
        if evidence:
            status: Status = "unreadable"
        elif one is None or other is None:
            status = "only in A" if other is None else "only in B"
        elif one.shape != other.shape:
            status = "reshaped"
        elif name in known:
            status = known[name]
        else:
            status = _status(a.read(name), b.read(name))
            report(1)
        yield name, ComparedTensor(status, one, other, evidence)


def _status(a: Tensor, b: Tensor) -> Status:
    if a.dtype == b.dtype:
        return "identical" if torch.equal(_bytes(a), _bytes(b)) else "changed"
    dtypes = (a.dtype, b.dtype)
    wide = torch.float64 if any(dtype.is_floating_point for dtype in dtypes) else torch.int64
    wide = torch.complex128 if any(dtype.is_complex for dtype in dtypes) else wide
    return "equal values" if torch.equal(a.to(wide), b.to(wide)) else "changed"


def _bytes(tensor: Tensor) -> Tensor:
    return tensor.contiguous().view(-1).view(torch.uint8)
