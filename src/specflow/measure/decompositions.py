"""Decompositions of a network's matrices at a few steps: each matrix is decomposed once a step.

A small network's lie in memory. Those of a large one, whose matrices come in several batches, are
on disk and taken up from there after a kill; a few batches at a time are in memory.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from specflow.checkpoints.base import Checkpoints, Tensors
from specflow.checkpoints.stream import batches, read_views, release_memory
from specflow.errors import SpecflowError
from specflow.measure.packed import packed, unpacked
from specflow.scratch import Scratch
from specflow.spectra import Decomposition, decompose, is_direction
from specflow.spectra.block_diagonal import decompose_blocks
from specflow.spectra.side_by_side import map_matrices
from specflow.wiring import View
from specflow.wiring.tensors import TensorInfo

_NUM_RECENT = 3  # batches in memory: a step is compared with two others

Batch = Mapping[View, Decomposition]


def directions(found: Decomposition) -> Decomposition:
    """Return a decomposition without the singular vectors of singular values of 0, which are any.

    They are 0 in it, and so agree and align with nothing.
    """
    there = is_direction(found.S)[: len(found.Vh)]
    if there.all():
        return found
    return Decomposition(found.U * there, found.S, found.Vh * there[:, None])


def _aligned(U: Tensor, S: Tensor, Vh: Tensor) -> Decomposition:
    """Return a decomposition as it was before: products of other addresses round otherwise."""
    return Decomposition(U.clone(), S.clone(), Vh.clone())


class Decompositions:
    """The decompositions of every view, for a few steps at a time.

    Attributes:
        batches: The views, in batches that fit into memory together.
    """

    def __init__(
        self,
        checkpoints: Checkpoints,
        views: Sequence[View],
        scratch: Scratch,
        *,
        count: int,
        workers: int,
        device: torch.device,
        strict: bool,
    ) -> None:
        """Decompose nothing yet; `count` singular vectors of each view are asked for.

        Several batches are kept in `scratch`. If `strict`, a matrix that is absent or not finite
        is an error.
        """
        self._checkpoints, self._scratch = checkpoints, scratch
        self._count, self._workers, self._device, self._strict = count, workers, device, strict
        infos = {view.tensor: TensorInfo(view.shape, torch.float32) for view in views}
        self.batches = batches(views, infos, workers)
        self._numbers = {view: number for number, view in enumerate(views)}
        self._batch_of = {view: n for n, batch in enumerate(self.batches) for view in batch}
        self._recent: dict[tuple[int, int], Batch] = {}

    def measure(self, index: int) -> None:
        """Decompose what is not there yet of the step number `index`.

        Raises:
            SpecflowError: If the step cannot be read, or a decomposition does not converge; if
                strict, also if a matrix is absent or not finite. It names matrix and step.
        """
        absent = [n for n in range(len(self.batches)) if not self._is_there(index, n)]
        if not absent:
            return
        with self._checkpoints.open(index) as tensors:
            for number in absent:
                found = self._decompose(tensors, index, self.batches[number])
                self._remember(index, number, found)
                if len(self.batches) > 1:
                    kept = packed(one._asdict() for one in found.values())
                    self._scratch.save(self._name(index, number), kept)
                    release_memory()

    def batch(self, index: int, number: int) -> Batch:
        """Return the decompositions of a batch at a step that was measured."""
        found = self._recent.pop((index, number), None)
        if found is None:
            kept = unpacked(self._scratch.load(self._name(index, number), mapped=True))
            views = zip(self.batches[number], kept, strict=True)
            found = {view: _aligned(**parts) for view, parts in views}
        self._remember(index, number, found)
        return found

    def numbers(self, views: Iterable[View]) -> list[int]:
        """Return the numbers of the batches that some views are in, ascending."""
        return sorted({self._batch_of[view] for view in views})

    def of(self, index: int, views: Sequence[View]) -> Batch:
        """Return the decompositions of some views at a step that was measured."""
        return {view: self.batch(index, self._batch_of[view])[view] for view in views}

    def forget(self, index: int) -> None:
        """Drop a step."""
        for number in range(len(self.batches)):
            self._recent.pop((index, number), None)
            self._scratch.forget(self._name(index, number))

    def _is_there(self, index: int, number: int) -> bool:
        return (index, number) in self._recent or self._scratch.has(self._name(index, number))

    def _remember(self, index: int, number: int, found: Batch) -> None:
        self._recent[index, number] = found
        if len(self._recent) > _NUM_RECENT:
            del self._recent[next(iter(self._recent))]

    def _name(self, index: int, number: int) -> str:
        """Return a name that tells what is in a batch: the number of workers may have changed."""
        first, last = (self._numbers[self.batches[number][place]] for place in (0, -1))
        return f"decompositions{index:06d}.{first}-{last}"

    def _decompose(self, tensors: Tensors, index: int, views: Sequence[View]) -> Batch:
        step = self._checkpoints.steps[index]
        where = f"{step.place}: step {step.number}"
        weights = read_views(tensors, views)
        if self._strict and len(weights) < len(views):
            view = next(view for view in views if view not in weights)
            raise SpecflowError(f"{where}: {view}: expected a tensor of shape {view.shape}")
        try:
            found = map_matrices(self._of_matrix, weights, self._workers)
        except (ValueError, ArithmeticError) as error:
            raise SpecflowError(f"{where}: {error}") from error
        return {view: found.get(view) or self._undefined(view) for view in views}

    def _of_matrix(self, view: View, weight: Tensor) -> Decomposition:
        if not self._strict and not torch.stack(weight.aminmax()).isfinite().all():
            return self._undefined(view)
        moved = weight.to(self._device)
        if view.groups > 1:
            found = decompose_blocks(moved.unflatten(0, (view.groups, -1)), self._count)
        else:
            found = decompose(moved, self._count)
        found = directions(found)
        return Decomposition(*(part.cpu() for part in found))

    def _undefined(self, view: View) -> Decomposition:
        """Return the decomposition of a matrix that is not there: NaN for everything."""
        rows, columns = view.rows, view.columns
        smaller = min(rows, columns)
        kept = min(self._count, smaller)
        shapes = (rows, kept), (smaller,), (kept, columns)
        return Decomposition(*(torch.full(s, math.nan, dtype=torch.float64) for s in shapes))
