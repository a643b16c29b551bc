"""Singular value decompositions of weights: fast through the Gram matrix, exact where that fails.

Products of two float32 numbers are exact in float64, so the float64 Gram matrix of a float32
weight carries only the rounding of its sums, about 1e-16 s_1^2. A singular value is then off by
1e-16 s_1^2 / s and a singular vector by 1e-16 (s_1 / s)^2 over its relative gap: the top of the
spectrum is better than a float32 SVD and the bottom is not. Below the two floors here a float64
SVD takes over. It gets the tall orientation, on which LAPACK is two to eight times faster.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from specflow.matrices import as_matrix
from specflow.spectra.large import is_large, leading_eigenvectors, product

# At this s/s_1 singular vectors of the Gram matrix lose orthogonality on the other side by 1e-8.
VECTOR_FLOOR = 1e-4
# At this s/s_1 singular values of the Gram matrix are off by 1e-4 of themselves, 1e-10 s_1.
VALUE_FLOOR = 1e-6
# Below this share of s_1 a singular value is rounding, and its singular vectors are arbitrary.
ZERO = 1e-9
_STRIPE = 128
GRAM_DTYPES = frozenset({torch.float32, torch.float16, torch.bfloat16})


class Decomposition(NamedTuple):
    """W = U diag(S) Vh, with all singular values and the first k singular vectors, float64.

    Attributes:
        U: Left singular vectors, shape (m, k), columns orthonormal.
        S: All singular values, shape (min(m, n),), descending.
        Vh: Right singular vectors, shape (k, n), rows orthonormal.
    """

    U: Tensor
    S: Tensor
    Vh: Tensor


class SmallerSide(NamedTuple):
    """One decomposition of W, to be shared: its singular values and the vectors of one side.

    Attributes:
        S: All singular values, shape (min(m, n),), descending, float64; from a Gram matrix, those
            near 0 are off by up to 1e-8 s_1 (`singular_values` and `decompose` mend that).
        vectors: Singular vectors of the smaller side (U if m <= n, else V) as columns, shape
            (min(m, n), k), in the order of S, float64.
    """

    S: Tensor
    vectors: Tensor


def decompose(
    weight: Tensor, count: int | None = None, side: SmallerSide | None = None
) -> Decomposition:
    """Return the reduced singular value decomposition of a weight, computed in float64.

    float32, float16 and bfloat16 weights go through the Gram matrix of the smaller side, or a
    float64 SVD where the vectors asked for reach below `VECTOR_FLOOR` s_1; others always take the
    SVD. Every singular value is within 1e-6 s_1 of the float64 SVD; the signs of a pair of
    singular vectors are arbitrary.

    Args:
        weight: Matrix (m, n), or a kernel (see `as_matrix`); not modified.
        count: How many singular vectors to return, at most all min(m, n); None means all.
        side: The `smaller_side` of the weight if it is at hand; then only the other side is
            computed.

    Raises:
        ValueError: If the weight is complex, empty, not finite or not a matrix, if count is
            negative, or if side is that of another shape or holds less than count vectors.
        torch.linalg.LinAlgError: If LAPACK does not converge.

    Example:
        >>> U, S, Vh = decompose(torch.tensor([[0.0, 2.0], [1.0, 0.0]]))
        >>> S
        tensor([2., 1.], dtype=torch.float64)
        >>> (U * S) @ Vh
        tensor([[0., 2.],
                [1., 0.]], dtype=torch.float64)
    """
    if count is not None and count < 0:
        raise ValueError(f"count is {count}; expected 0 or more singular vectors, or None for all")
    wide, is_tall, scale = as_wide(weight)
    count = len(wide) if count is None else min(count, len(wide))
    found = _through_gram(wide, count, _one_side(weight, wide, count, side, scale))
    U, S, Vh = found or _through_svd(wide, count)
    if is_tall:
        U, Vh = Vh.mT.contiguous(), U.mT.contiguous()
    return Decomposition(U, S * scale, Vh)


def singular_values(weight: Tensor, side: SmallerSide | None = None) -> Tensor:
    """Return the singular values of a weight, without vectors, to the accuracy of `decompose`.

    Args:
        weight: Matrix (m, n), or a kernel (see `as_matrix`); not modified.
        side: The `smaller_side` of the weight if it is at hand.

    Returns:
        Shape (min(m, n),), descending, float64, on the device of the weight.

    Raises:
        ValueError: As of `decompose`.

    Example:
        >>> singular_values(torch.tensor([[3.0, 0.0], [0.0, -4.0]]))
        tensor([4., 3.], dtype=torch.float64)
    """
    wide, _, scale = as_wide(weight)
    found = _through_gram(wide, 0, _one_side(weight, wide, 0, side, scale))
    return (_exact_values(wide) if found is None else found[1]) * scale


def smaller_side(weight: Tensor) -> SmallerSide:
    """Return singular values, and the vectors of the smaller side: all that a projector needs.

    A subspace of float32 weights from the Gram matrix reproduces its part of W to 1e-8 s_1, less
    than the rounding of the weights, so that no floor applies.

    Args:
        weight: Matrix (m, n), or a kernel (see `as_matrix`); not modified.

    Raises:
        ValueError: As of `decompose`.
    """
    wide, _, scale = as_wide(weight)
    found = _one_side(weight, wide, len(wide))
    if found is None:
        vectors, S, _ = _through_svd(wide, len(wide))
    else:
        S, vectors = found
    return SmallerSide(S * scale, vectors)


def is_defined(S: Tensor) -> Tensor:
    """Return whether spectra have ranks and directions: they are finite and not all zero.

    Args:
        S: Singular values, shape (..., R), R > 0; not modified.

    Returns:
        Shape (...), bool.

    Example:
        >>> is_defined(torch.tensor([[2.0, 1.0], [0.0, 0.0], [float("nan"), 1.0]]))
        tensor([ True, False, False])
    """
    return S.isfinite().all(-1) & (S.amax(-1) > 0)


def is_direction(S: Tensor) -> Tensor:
    """Return which singular values count as directions: s_i > 1e-9 s_1.

    Args:
        S: Singular values, shape (..., R), R > 0; not modified.

    Returns:
        Shape (..., R), bool; nowhere true of a spectrum that is not defined.

    Example:
        >>> is_direction(torch.tensor([2.0, 1.0, 1e-12]))
        tensor([ True,  True, False])
    """
    floor = ZERO * S.amax(-1, keepdim=True)
    return (floor < S) & is_defined(S)[..., None]


def where_defined(values: Tensor, *spectra: Tensor) -> Tensor:
    """Return what was computed of matrices, or NaN in its place if a spectrum is not defined.

    Args:
        values: Any shape, floating point; not modified.
        spectra: Singular values of each matrix, shape (R,), R > 0; not modified.

    Example:
        >>> where_defined(torch.ones(2), torch.tensor([1.0, 0.0]), torch.zeros(2))
        tensor([nan, nan])
    """
    defined = all(bool(is_defined(S)) for S in spectra)
    return values if defined else torch.full_like(values, torch.nan)


def as_wide(weight: Tensor) -> tuple[Tensor, bool, float]:
    """Return the weight as a float64 matrix, over a power of two, with no more rows than columns.

    Also whether it was transposed for that, and the power of two.

    Raises:
        ValueError: If the weight is complex, empty, not finite or not a matrix.
    """
    if weight.is_complex():
        raise ValueError(f"a weight of dtype {weight.dtype} is complex; expected real numbers")
    if weight.numel() == 0:
        raise ValueError(f"a weight of shape {tuple(weight.shape)} is empty; expected entries")
    matrix = as_matrix(weight).to(torch.float64, copy=True)
    largest = torch.stack(matrix.aminmax()).abs().amax()  # NaN if any entry is
    if not largest.isfinite():
        bad = int((~matrix.isfinite()).sum())
        raise ValueError(f"{bad} of {matrix.numel()} entries are not finite; expected finite ones")
    # Squares of 1e200 overflow; dividing by a power of two is exact.
    scale = 2.0 ** (int(largest.frexp().exponent) - 1) if largest > 0 else 1.0
    is_tall = matrix.shape[0] > matrix.shape[1]
    matrix.div_(scale)
    return (matrix.mT if is_tall else matrix), is_tall, scale


def _one_side(
    weight: Tensor, wide: Tensor, count: int, side: SmallerSide | None = None, scale: float = 1.0
) -> tuple[Tensor, Tensor] | None:
    """Return values and at least count left vectors of `wide`, None if the SVD is to give them.

    Raises:
        ValueError: If the side at hand is that of another shape or holds less than count vectors.
    """
    if side is not None:
        rows, held = side.vectors.shape
        if (len(side.S), rows) != (len(wide), len(wide)) or held < count:
            raise ValueError(
                f"the side at hand has {len(side.S)} values and vectors of shape {(rows, held)}; "
                f"expected {len(wide)} values and {count} or more vectors of {len(wide)} entries"
            )
        return side.S / scale, side.vectors
    if weight.dtype not in GRAM_DTYPES:
        return None
    try:
        squares, vectors = _gram_eigenvectors(wide, count)
    except torch.linalg.LinAlgError:
        return None
    return squares.clamp(min=0).sqrt().flip(0), vectors.flip(1)


def _gram_eigenvectors(wide: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return eigenvalues of W W^T, ascending, and at least those count eigenvectors."""
    if is_large(wide):
        return leading_eigenvectors(product(wide, wide.mT), count)
    gram = _gram(wide)
    if count > 0:
        return tuple(torch.linalg.eigh(gram, UPLO="U"))
    return torch.linalg.eigvalsh(gram, UPLO="U"), gram[:, :0]


def _gram(wide: Tensor) -> Tensor:
    """Return the upper half of W W^T, in stripes of rows; half of it is enough."""
    m = len(wide)
    gram = wide.new_zeros(m, m)
    for start in range(0, m, _STRIPE):
        stripe = slice(start, start + _STRIPE)
        torch.mm(wide[stripe], wide[start:].mT, out=gram[stripe, start:])
    return gram


def _through_gram(
    wide: Tensor, count: int, found: tuple[Tensor, Tensor] | None
) -> tuple[Tensor, Tensor, Tensor] | None:
    """Return U, S, Vh from singular values and left vectors, None where these are not enough."""
    if found is None:
        return None
    S, U = found
    if count and S[count - 1] <= VECTOR_FLOOR * S[0]:
        return None
    U = U[:, :count].contiguous()
    Vh = (product if is_large(wide) else torch.matmul)(U.mT, wide) / S[:count, None]
    if S[-1] <= VALUE_FLOOR * S[0]:
        S = _exact_values(wide)
    return U, S, Vh


def _through_svd(wide: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    V, S, Uh = torch.linalg.svd(wide.mT, full_matrices=False, driver=_driver(wide))
    return Uh[:count].mT.contiguous(), S, V[:, :count].mT.contiguous()


def _exact_values(wide: Tensor) -> Tensor:
    return torch.linalg.svdvals(wide.mT, driver=_driver(wide))


def _driver(matrix: Tensor) -> str | None:
    """Return the slow, sure method on CUDA: the SVD is called where the fast one would not do."""
    return "gesvd" if matrix.is_cuda else None
