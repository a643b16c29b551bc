"""Spectra of what is made of weights: changes between steps, permuted entries, products of heads.

They are measured on demand (`SpectraParams.more`): a step is opened once more, and for changes the
first one and the one before beside it; matrices are read batch by batch.
"""

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from specflow.checkpoints.base import Checkpoints, Tensors
from specflow.checkpoints.stream import read_views
from specflow.errors import SpecflowError
from specflow.matrices import Side
from specflow.measure.packed import Row
from specflow.spectra import (
    change_singular_values,
    permuted_singular_values,
    product_singular_values,
)
from specflow.spectra.block_diagonal import singular_values_of_blocks
from specflow.spectra.side_by_side import map_matrices
from specflow.wiring import Meeting, Pair, View, Wiring

_FROM_WEIGHTS = {"permuted", "changes", "heads"}
# Of the changes since the first step, and since the one before.
_CHANGES = ("change_singular_values", "step_change_singular_values")

Rows = dict[View, Row]
RowsOf = Callable[[Sequence[View], Sequence[Pair]], tuple[Rows, list[Row]]]


@dataclass(frozen=True)
class DerivedSpectra:
    """What is made of the weights of a step, of the families asked for.

    Attributes:
        checkpoints: The steps.
        wiring: The matrices and pairs.
        families: What is asked for.
        batches: The views, in batches that fit into memory together.
        workers: Threads, one matrix each.
        device: What decomposes.
    """

    checkpoints: Checkpoints
    wiring: Wiring
    families: frozenset[str]
    batches: Sequence[Sequence[View]]
    workers: int
    device: torch.device

    @contextmanager
    def at(self, index: int) -> Iterator[RowsOf]:
        """Open a step, whose spectra of some matrices and of some pairs are asked for meanwhile.

        What cannot be made (a matrix is absent or not finite, or there is no step before) is NaN;
        of a single step there are no changes.

        Yields:
            What returns the rows of matrices by view, and those of pairs in their order.

        Raises:
            SpecflowError: If a step cannot be read, or a decomposition does not converge.
        """
        if not _FROM_WEIGHTS & self.families:
            yield lambda views, pairs: ({}, [{} for _ in pairs])
            return
        step = self.checkpoints.steps[index]
        with ExitStack() as opened:
            now = opened.enter_context(self.checkpoints.open(index))
            others = self._others(index, opened)

            def rows(views: Sequence[View], pairs: Sequence[Pair]) -> tuple[Rows, list[Row]]:
                try:
                    of_pairs = [self._of_pair(now, pair) for pair in pairs]
                    return self._of_matrices(now, others, {*views}), of_pairs
                except (ValueError, ArithmeticError) as error:
                    raise SpecflowError(f"{step.place}: step {step.number}: {error}") from error

            yield rows

    def _others(self, index: int, opened: ExitStack) -> list[tuple[list[str], Tensors]]:
        """Return the steps that a later one is compared with, opened, and the names of spectra."""
        if "changes" not in self.families or index == 0:
            return []
        since: dict[int, list[str]] = {}
        for name, other in zip(_CHANGES, (0, index - 1), strict=True):
            since.setdefault(other, []).append(name)
        return [
            (names, opened.enter_context(self.checkpoints.open(other)))
            for other, names in since.items()
        ]

    def _of_matrices(
        self, now: Tensors, others: Sequence[tuple[list[str], Tensors]], tracked: Set[View]
    ) -> Rows:
        found: Rows = {view: self._undefined(view) for view in tracked}
        if not {"permuted", "changes"} & self.families:
            return found
        of_batches = ([view for view in batch if view in tracked] for batch in self.batches)
        for views in filter(None, of_batches):
            weights = _only_finite(read_views(now, views))
            if "permuted" in self.families:
                for view, S in map_matrices(self._permuted, weights, self.workers).items():
                    found[view]["permuted_singular_values"] = S
            for names, tensors in others:  # one at a time, since a batch may be a huge matrix
                for view, S in self._changes(weights, tensors).items():
                    found[view] |= dict.fromkeys(names, S)
        return found

    def _permuted(self, view: View, weight: Tensor) -> Tensor:
        permuted = partial(permuted_singular_values, seed=_seed_of(view))
        return singular_values_of_blocks(permuted, view.groups, weight.to(self.device)).cpu()

    def _changes(self, weights: Mapping[View, Tensor], other: Tensors) -> dict[View, Tensor]:
        then = _only_finite(read_views(other, weights))

        def of(view: View, weight: Tensor) -> Tensor:
            both = (one.to(self.device) for one in (weight, then[view]))
            return singular_values_of_blocks(change_singular_values, view.groups, *both).cpu()

        return map_matrices(of, {view: weights[view] for view in then}, self.workers)

    def _undefined(self, view: View) -> Row:
        names = ["permuted_singular_values"] if "permuted" in self.families else []
        if "changes" in self.families and len(self.checkpoints.steps) > 1:
            names += _CHANGES
        return {name: _nan(min(view.rows, view.columns)) for name in names}

    def _of_pair(self, now: Tensors, pair: Pair) -> Row:
        count = self._num_heads(pair) if "heads" in self.families else 0
        if count == 0:
            return {}
        weights = read_views(now, sorted(pair.views, key=lambda view: view.tensor))
        met = {
            number: (weights[one.previous], weights[one.following])
            for number, one in enumerate(pair.meetings)
            if one.previous in weights and one.following in weights
        }

        def of(number: int, previous: Tensor) -> Tensor:
            return self._of_heads(pair.meetings[number], count, previous, met[number][1])

        found = map_matrices(of, {n: both[0] for n, both in met.items()}, self.workers)
        heads = [found.get(n, _nan_heads(one, count)) for n, one in enumerate(pair.meetings)]
        return {"head_singular_values": torch.cat(heads)}

    def _num_heads(self, pair: Pair) -> int:
        """Return how many heads each meeting is of, 0 if the pair is not of heads.

        Queries meet keys head by head, and so may values what reads them. Whole values are of as
        many heads as the queries beside them, which their labels tell.
        """
        if not _is_whole(pair):
            return 0
        if len(pair.meetings) > 1 or pair.meetings[0].following_side == "left":
            return 1
        heads = {other.label: len(other.meetings) for other in self.wiring.pairs}
        owner, is_value, _ = pair.label.partition("value -> ")
        count = heads.get(f"{owner}query -> {owner}key", 0) if is_value else 0
        return count if count and pair.meetings[0].lengths[0] % count == 0 else 0

    def _of_heads(
        self, meeting: Meeting, count: int, previous: Tensor, following: Tensor
    ) -> Tensor:
        if not (_is_finite(previous) and _is_finite(following)):
            return _nan_heads(meeting, count)
        read = following if meeting.following_side == "left" else following.mT
        both = (one.to(self.device).chunk(count) for one in (previous, read))
        return torch.stack(
            [product_singular_values(a, b).cpu() for a, b in zip(*both, strict=True)]
        )


def _is_whole(pair: Pair) -> bool:
    """Return whether outputs meet inputs or outputs as they are, without kernels and gates."""
    return all(
        one.previous_side == "left"
        and one.kernel is None
        and one.previous_part is None
        and one.following_part is None
        for one in pair.meetings
    )


def _nan_heads(meeting: Meeting, count: int) -> Tensor:
    """Return what heads have of which a factor is not defined, shape (count, h)."""
    other: Side = "right" if meeting.following_side == "left" else "left"
    read, shared = meeting.following.length(other), meeting.lengths[0] // count
    size = min(shared, meeting.previous.columns, read)
    return _nan(size).expand(count, size)


def _only_finite(weights: Mapping[View, Tensor]) -> dict[View, Tensor]:
    return {view: weight for view, weight in weights.items() if _is_finite(weight)}


def _is_finite(weight: Tensor) -> bool:
    return bool(torch.stack(weight.aminmax()).isfinite().all())


def _nan(length: int) -> Tensor:
    return torch.full((length,), math.nan, dtype=torch.float64)


def _seed_of(view: View) -> int:
    """Return a seed that is the same for a matrix at every step and in every session."""
    return int.from_bytes(hashlib.sha256(str(view).encode()).digest()[:7])
