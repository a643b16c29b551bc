"""Alignment of neighbouring layers: what one writes with what the next one reads."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from specflow.matrices import Side
from specflow.spectra.decomposition import Decomposition, decompose


def alignment(
    previous: Tensor | Decomposition,
    following: Tensor | Decomposition,
    *,
    previous_side: Side = "left",
    following_side: Side = "right",
    kernel: Sequence[int] | None = None,
    position: Literal["center", "all"] = "center",
) -> Tensor:
    """Return A_ij = |<v_i of following, u_j of previous>| (Yunis et al. 2024, https://arxiv.org/abs/2408.11804).

    For a following convolution, V is reshaped to (k, c_in, kh, kw) and one matrix is taken at each
    kernel position; the centre is index (kh // 2, kw // 2).

    Args:
        previous: Weight, or its decomposition with k_p singular vectors; not modified.
        following: Weight, or its decomposition with k_f singular vectors; not modified.
        previous_side: "right" if V of the previous matrix meets the following one (an embedding,
            whose rows are tokens).
        following_side: "left" if U of the following matrix is met (query and key, whose outputs
            are multiplied).
        kernel: Spatial shape of a following convolution. By default that of a following weight
            with more than two dimensions; a decomposition does not know it.
        position: "center", or "all" for every kernel position.

    Returns:
        Shape (k_f, k_p), or (kh, kw, k_f, k_p) for "all", with (1, 1) for a matrix that is not a
        convolution; in [0, 1], float64.

    Raises:
        ValueError: If the dimensions that should meet differ, or a side or position is unknown.

    Example:
        >>> writes, reads = torch.tensor([[2.0, 0], [0, 1]]), torch.tensor([[1.0, 0], [0, 2]])
        >>> alignment(writes, reads)  # what it writes most, is read least
        tensor([[0., 1.],
                [1., 0.]], dtype=torch.float64)
    """
    if position not in ("center", "all"):
        raise ValueError(f"position is {position!r}; expected 'center' or 'all'")
    if kernel is None:
        kernel = _kernel_of(following, following_side)
    written = _vectors(previous, previous_side)
    read = _vectors(following, following_side)
    dimension, positions = len(written), math.prod(kernel)
    if len(read) != dimension * positions:
        raise ValueError(
            f"{previous_side} singular vectors of length {dimension} cannot meet {following_side} "
            f"ones of length {len(read)} with kernel {tuple(kernel)}; "
            f"expected {dimension * positions}"
        )
    read_at = read.mT.reshape(-1, dimension, *kernel)
    if position == "center":
        for size in kernel:
            read_at = read_at.select(2, size // 2)
        return (read_at @ written).abs()
    return torch.einsum("fd...,dp->...fp", read_at, written).abs()


def alignment_null_level(dimension: int) -> float:
    """Return E|<x, e>| for a uniformly random unit vector x in R^d and any unit vector e.

    Gamma(d/2) / (sqrt(pi) Gamma((d+1)/2)), in (0, 1], about sqrt(2 / (pi d)): what unrelated
    directions show.

    Args:
        dimension: Length d of the longer of the singular vectors that meet; for a following
            convolution c_in*kh*kw, since one position holds only a part of the unit vector.

    Raises:
        ValueError: If dimension is less than 1.

    Example:
        >>> round(alignment_null_level(3), 3)
        0.5
    """
    if dimension < 1:
        raise ValueError(f"dimension is {dimension}; expected 1 or more")
    log_ratio = math.lgamma(dimension / 2) - math.lgamma((dimension + 1) / 2)
    return math.exp(log_ratio) / math.sqrt(math.pi)


def _kernel_of(weight: Tensor | Decomposition, side: Side) -> Sequence[int]:
    if isinstance(weight, Tensor) and weight.ndim > 2 and side == "right":
        return weight.shape[2:]
    return 1, 1


def _vectors(weight: Tensor | Decomposition, side: Side) -> Tensor:
    if side not in ("left", "right"):
        raise ValueError(f"side is {side!r}; expected 'left' or 'right'")
    found = weight if isinstance(weight, Decomposition) else decompose(weight)
    return found.U if side == "left" else found.Vh.mT
