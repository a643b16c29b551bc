"""Alignment where matrices meet: at every kernel position, of the parts that meet."""

import math

import torch
from torch import Tensor

from specflow.matrices import Side
from specflow.measure.decompositions import Batch
from specflow.measure.packed import Row
from specflow.spectra import Decomposition, alignment, diagonal_score, where_defined
from specflow.wiring import Cut, Meeting, Pair


def meet(meeting: Meeting, parts: Batch) -> Tensor:
    """Return the alignment at every kernel position, shape (*kernel, k, k); NaN if not defined."""
    previous = _part(parts[meeting.previous], meeting.previous_side, meeting.previous_part)
    following = _part(parts[meeting.following], meeting.following_side, meeting.following_part)
    matrices = alignment(
        previous,
        following,
        previous_side=meeting.previous_side,
        following_side=meeting.following_side,
        kernel=meeting.kernel or (1, 1),
        position="all",
    )
    return where_defined(matrices, previous.S, following.S)


def alignment_row(pair: Pair, parts: Batch, count: int) -> Row:
    """Return what a file of spectra has of a pair at a step; scores are of `count` directions."""
    meetings = [meet(meeting, parts) for meeting in pair.meetings]
    center = torch.stack([center_of(one).diagonal() for one in meetings]).mean(0)
    row = {"alignment": center, "alignment_score": center[:count].mean()}
    if math.prod(pair.meetings[0].kernel or ()) > 1:
        row["kernel_scores"] = diagonal_score(meetings[0], count)
    return row


def _part(whole: Decomposition, side: Side, cut: Cut | None) -> Decomposition:
    """Return a decomposition with what a cut leaves of the singular vectors of a side."""
    if cut is None:
        return whole
    if side == "left":
        return whole._replace(U=cut.of(whole.U))
    return whole._replace(Vh=cut.of(whole.Vh.mT).mT)


def center_of(positions: Tensor) -> Tensor:
    """Return the matrix at the centre of the kernel, shape (k, k), of those at all positions."""
    return positions[tuple(size // 2 for size in positions.shape[:-2])]
