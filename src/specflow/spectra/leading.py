"""The leading singular values and vectors of a matrix that has changed little since the last time.

A block Krylov subspace of W^T W (Golub & Van Loan 2013, 10.3; Halko, Martinsson & Tropp 2011, 5.2)
that begins with the vectors of the last time settles in a few products where few directions stand
out. Some random directions are among the first, so that a new one is found that is orthogonal to
all of the last time.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from specflow.spectra.decomposition import (
    VECTOR_FLOOR,
    Decomposition,
    as_wide,
    decompose,
    is_direction,
)
from specflow.spectra.large import is_large, product

_SETTLED = 1e-5  # sine of the angle to the true vector
_NEW = 6  # random directions among the first
_MORE = 4  # vectors beyond those asked for that the next time begins with
_LEAST_BLOCKS, _MOST_BLOCKS = 3, 8  # a new direction takes three to stand out
_MOST = 3  # 1/3 of all directions in the subspace: with more, all of them take no longer
_SMALL = 256  # up to this size the whole matrix takes no longer
_EXACT = 1e-15  # of s_1^2, what rounding leaves of W^T W v - s^2 v


class Leading(NamedTuple):
    """The first k singular values and vectors, and how sure the vectors are.

    Attributes:
        U: Left singular vectors, shape (m, k), float64.
        S: Singular values, shape (k,), descending, float64.
        Vh: Right singular vectors, shape (k, n), float64.
        error: Bound of the sine of the angle between each pair and the true one, shape (k,), at
            most 1: |W^T W v - s^2 v| over the gap to the next s^2 (Davis & Kahan 1970). Where two
            singular values are nearly the same, vectors are any in their plane. NaN where s is 0.
        start: Vectors of the smaller side to begin with next time, shape (min(m, n), k') with k' a
            few more than k.
        is_whole: Whether the whole matrix was decomposed, since the subspace did not settle.
    """

    U: Tensor
    S: Tensor
    Vh: Tensor
    error: Tensor
    start: Tensor
    is_whole: bool


def leading_vectors(
    weight: Tensor, count: int, start: Tensor | None = None, *, whole: bool = False
) -> Leading:
    """Return the first singular values to 1e-9 s_1 and vectors to 1e-5 where gaps allow.

    Args:
        weight: Matrix (m, n), or a kernel (see `as_matrix`); not modified.
        count: How many, at most all min(m, n).
        start: `Leading.start` of a matrix of the same shape that is nearly the same; not modified.
        whole: Whether the whole matrix is decomposed at once. It is also if the subspace does not
            settle, as with noise, where no direction stands out.

    Raises:
        ValueError: As of `decompose`, or if the start is that of another shape.
        torch.linalg.LinAlgError: If LAPACK does not converge.

    Example:
        >>> found = leading_vectors(torch.diag(torch.tensor([1.0, 3.0, 2.0])), 2)
        >>> found.S
        tensor([3., 2.], dtype=torch.float64)
    """
    wide, is_tall, scale = as_wide(weight)
    if start is not None and start.shape[0] != len(wide):
        raise ValueError(f"the start has vectors of {start.shape[0]} entries; expected {len(wide)}")
    found = None if whole else _settled(wide, count, start)
    if found is None:
        return leading_of(decompose(weight, count + _MORE), count)
    U, S, Vh, error, more = found
    if is_tall:
        U, Vh = Vh.mT.contiguous(), U.mT.contiguous()
    return Leading(U, S * scale, Vh, error, more, is_whole=False)


def _settled(
    wide: Tensor, count: int, start: Tensor | None
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor] | None:
    """Return U, S, Vh, errors and the next start, None if the subspace does not settle."""
    times = product if is_large(wide) else torch.matmul
    held = start if start is not None else wide[:, :0]
    generator = torch.Generator(wide.device).manual_seed(0)
    num_new = _NEW + max(count + _MORE - held.shape[1], 0)
    new = torch.randn(
        len(wide), num_new, dtype=torch.float64, device=wide.device, generator=generator
    )
    block = torch.linalg.qr(torch.cat([held, new], 1)).Q
    width = block.shape[1]
    most = min(len(wide) // _MOST, _MOST_BLOCKS * width)
    if len(wide) <= _SMALL or most < _LEAST_BLOCKS * width:
        return None
    basis, images = wide[:, :0], wide.new_empty(wide.shape[1], 0)
    while basis.shape[1] + width <= most:
        basis = torch.cat([basis, block], 1)
        images = torch.cat([images, times(wide.mT, block)], 1)
        block, beside = torch.linalg.qr(_beyond(basis, times(wide, images[:, -width:])))
        block = torch.linalg.qr(_beyond(basis, block)).Q  # there may be nothing beyond but rounding
        squares, turned = (one.flip(-1) for one in torch.linalg.eigh(images.mT @ images))
        left = (beside @ turned[-width:]).norm(dim=0)
        error = _sines(squares, left + _EXACT * squares[0], count)
        if basis.shape[1] >= _LEAST_BLOCKS * width and bool((error <= _SETTLED).all()):
            break
    else:
        return None
    S = squares[:count].clamp(min=0).sqrt()
    if S[-1] <= VECTOR_FLOOR * S[0]:
        return None
    U = basis @ turned[:, : count + _MORE]
    return U[:, :count].contiguous(), S, (images @ turned[:, :count] / S).mT, error, U


def _beyond(basis: Tensor, vectors: Tensor) -> Tensor:
    return vectors - basis @ (basis.mT @ vectors)


def leading_of(found: Decomposition, count: int) -> Leading:
    """Return what leads in the decomposition of a whole matrix, at most `count`."""
    rows, columns = len(found.U), found.Vh.shape[1]
    count = min(count, len(found.S))
    squares = found.S.square()
    error = _sines(squares, torch.full_like(squares, _EXACT) * squares[0], count)
    error = torch.where(is_direction(found.S)[:count], error, torch.nan)
    start = found.U if rows <= columns else found.Vh.mT
    leading = found.U[:, :count], found.S[:count], found.Vh[:count]
    return Leading(*leading, error, start, is_whole=True)


def _sines(squares: Tensor, left: Tensor, count: int) -> Tensor:
    """Return bounds of the sine of the angle to the true vectors, shape (count,).

    Args:
        squares: Squared singular values, or those of a subspace, descending, shape (R,).
        left: The norm of what W^T W v differs by from s^2 v, shape (R,).
        count: Of how many; the others are as large as `left` may make them.
    """
    others = torch.cat([squares.new_tensor([-torch.inf]), (squares + left)[count:]])
    below = torch.cat([squares[1:count], others.amax()[None]])
    gaps = squares[:count] - below
    above = torch.cat([squares.new_tensor([torch.inf]), gaps[:-1]])
    return (left[:count] / torch.minimum(gaps, above).clamp(min=1e-300)).clamp(max=1)
