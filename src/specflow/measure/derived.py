"""Spectra of what is made of weights: changes between steps, permuted entries, products of heads.

They are measured on demand (`SpectraParams.more`): a step is opened once more, and for changes the
first one and the one before beside it; matrices are read batch by batch.
"""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from specflow.checkpoints.base import Checkpoints, Tensors
from specflow.checkpoints.stream import read_views
from specflow.errors import SpecflowError
from specflow.matrices import Side
from specflow.measure.quantities import Row
from specflow.spectra import (
    change_singular_values,
    permuted_singular_values,
    product_singular_values,
)
from specflow.spectra.side_by_side import map_matrices
from specflow.wiring import Meeting, Pair, View, Wiring

_FROM_WEIGHTS = {"permuted", "changes", "heads"}
_SINCE = {"first": "change_singular_values", "before": "step_change_singular_values"}


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

    def at(self, index: int) -> tuple[dict[View, Row], list[Row]]:
        """Return spectra of every matrix at a step, and those of heads of every pair.

        What cannot be made (a matrix is absent or not finite, or there is no step before) is NaN;
        of a single step there are no changes.

        Raises:
            SpecflowError: If a step cannot be read, or a decomposition does not converge.
        """
        if not _FROM_WEIGHTS & self.families:
            return {}, [{} for _ in self.wiring.pairs]
        step = self.checkpoints.steps[index]
        with ExitStack() as opened:
            now = opened.enter_context(self.checkpoints.open(index))
            others = dict(self._others(index, opened))
            try:
                return self._of_matrices(now, others), [
                    self._of_pair(now, pair) for pair in self.wiring.pairs
                ]
            except (ValueError, ArithmeticError) as error:
                raise SpecflowError(f"{step.place}: step {step.number}: {error}") from error

    def _others(self, index: int, opened: ExitStack) -> Iterator[tuple[str, Tensors]]:
        """Yield the steps that a later one is compared with, opened."""
        if "changes" in self.families and index > 0:
            first = before = opened.enter_context(self.checkpoints.open(0))
            if index > 1:
                before = opened.enter_context(self.checkpoints.open(index - 1))
            yield from (("first", first), ("before", before))

    def _of_matrices(self, now: Tensors, others: Mapping[str, Tensors]) -> dict[View, Row]:
        tracked = {matrix.view for matrix in self.wiring.matrices}
        found: dict[View, Row] = {view: self._undefined(view) for view in tracked}
        if not {"permuted", "changes"} & self.families:
            return found
        for batch in self.batches:
            views = [view for view in batch if view in tracked]
            weights = read_views(now, views)
            then = {name: read_views(tensors, views) for name, tensors in others.items()}

            for view, row in map_matrices(
                partial(self._made_of, then), weights, self.workers
            ).items():
                found[view] |= row
        return found

    def _undefined(self, view: View) -> Row:
        names = ["permuted_singular_values"] if "permuted" in self.families else []
        if "changes" in self.families and len(self.checkpoints.steps) > 1:
            names += _SINCE.values()
        return {name: _nan(min(view.rows, view.columns)) for name in names}

    def _made_of(
        self, then: Mapping[str, Mapping[View, Tensor]], view: View, weight: Tensor
    ) -> Row:
        weight, row = weight.to(self.device), dict[str, Tensor]()
        if not _is_finite(weight):
            return row
        if "permuted" in self.families:
            row["permuted_singular_values"] = permuted_singular_values(weight, _seed_of(view)).cpu()
        for name, others in then.items():
            other = others.get(view)
            if other is not None and _is_finite(other):
                row[_SINCE[name]] = change_singular_values(weight, other.to(self.device)).cpu()
        return row

    def _of_pair(self, now: Tensors, pair: Pair) -> Row:
        if "heads" not in self.families or not is_of_heads(pair):
            return {}
        weights = read_views(now, sorted(pair.views, key=lambda view: view.tensor))

        def of(meeting: Meeting, weight: Tensor) -> Tensor:
            return self._of_head(meeting, weight, weights.get(meeting.following))

        met = {m: weights[m.previous] for m in pair.meetings if m.previous in weights}
        found = map_matrices(of, met, self.workers)
        heads = [found.get(one, _nan(_rank(one))) for one in pair.meetings]
        return {"head_singular_values": torch.stack(heads)}

    def _of_head(self, meeting: Meeting, previous: Tensor, following: Tensor | None) -> Tensor:
        if following is None or not (_is_finite(previous) and _is_finite(following)):
            return _nan(_rank(meeting))
        read = following if meeting.following_side == "left" else following.mT
        return product_singular_values(previous.to(self.device), read.to(self.device)).cpu()


def is_of_heads(pair: Pair) -> bool:
    """Return whether a pair is what heads multiply: outputs of queries and keys, or head by head.

    Of values and the attention's output, that is where they meet head by head.
    """
    outputs = all(one.following_side == "left" for one in pair.meetings)
    whole = all(
        one.previous_side == "left"
        and one.kernel is None
        and one.previous_part is None
        and one.following_part is None
        for one in pair.meetings
    )
    return whole and (outputs or len(pair.meetings) > 1)


def _rank(meeting: Meeting) -> int:
    """Return the number of singular values of what a head multiplies."""
    other: Side = "right" if meeting.following_side == "left" else "left"
    shared, read = meeting.lengths[0], meeting.following.length(other)
    return min(shared, meeting.previous.columns, read)


def _is_finite(weight: Tensor) -> bool:
    return bool(torch.stack(weight.aminmax()).isfinite().all())


def _nan(length: int) -> Tensor:
    return torch.full((length,), math.nan, dtype=torch.float64)


def _seed_of(view: View) -> int:
    """Return a seed that is the same for a matrix at every step and in every session."""
    return int.from_bytes(hashlib.sha256(str(view).encode()).digest()[:7])
