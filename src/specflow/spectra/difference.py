"""Two matrices of one shape set side by side: how far apart, in which directions, of what rank."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from specflow.spectra.agreement import diagonal_score, singular_vector_agreement
from specflow.spectra.block_diagonal import decompose_blocks, singular_values_of_blocks
from specflow.spectra.decomposition import Decomposition, decompose, singular_values, where_defined
from specflow.spectra.quantities import frobenius_norm

_NARROW = (torch.bfloat16, torch.float16, torch.float32)  # from the coarsest
_STRIPE = 256  # rows at a time


class Difference(NamedTuple):
    """What sets B apart from A, both of shape (m, n); R = min(m, n).

    Attributes:
        relative_change: ||B - A||_F / ||A||_F; infinite if A alone is zero, 0 if both are.
        cosine: <A, B> / (||A||_F ||B||_F), in [-1, 1]; NaN if one of the two is zero.
        agreement_score: Mean agreement of the leading singular vectors, see
            `singular_vector_agreement`, in [0, 1]; NaN if one of the two is zero.
        left_overlap: `subspace_overlap` of the leading left singular vectors; NaN likewise.
        right_overlap: That of the right ones.
        rank: `numerical_rank` of B - A.
        rounding: `rounding_level` of the two, in units of the weights.
        S_a: Singular values of A, shape (R,), descending, float64.
        S_b: Those of B.
        S: Those of B - A.
    """

    relative_change: float
    cosine: float
    agreement_score: float
    left_overlap: float
    right_overlap: float
    rank: int
    rounding: float
    S_a: Tensor
    S_b: Tensor
    S: Tensor


def difference(a: Tensor, b: Tensor, count: int = 10, groups: int = 1) -> Difference:
    """Return what sets two matrices apart.

    Args:
        a: Matrix (m, n); not modified.
        b: Matrix of the same shape, of any floating-point dtype; not modified.
        count: How many leading singular vectors scores are of.
        groups: Of block-diagonal matrices the number of blocks, one below the other in a and b.

    Raises:
        ValueError: If the two are not of one shape, or one is empty, not finite or no matrix.
        torch.linalg.LinAlgError: If LAPACK does not converge.

    Example:
        >>> base = torch.diag(torch.tensor([4.0, 3.0, 2.0]))
        >>> found = difference(base, base + torch.outer(torch.ones(3), torch.ones(3)), count=1)
        >>> found.rank, round(found.relative_change, 3)
        (1, 0.557)
    """
    if a.shape != b.shape:
        shapes = f"{tuple(a.shape)} and {tuple(b.shape)}"
        raise ValueError(f"matrices of shape {shapes} have no difference; expected one shape")
    first = _decomposed(a, count, groups)
    second = first if torch.equal(a, b) else _decomposed(b, count, groups)
    # float32 rounds a difference by less than its two matrices, unless these are float64
    wide = torch.promote_types(torch.promote_types(a.dtype, b.dtype), torch.float32)
    change = b.detach().to(wide) - a.detach().to(wide)
    S = singular_values_of_blocks(singular_values, groups, change)
    norm_a, norm_b, norm = (float(frobenius_norm(one)) for one in (first.S, second.S, S))
    blocks = zip(a.chunk(groups), b.chunk(groups), strict=True)
    rounding = max(rounding_level(*both) for both in blocks)
    return Difference(
        relative_change=norm / norm_a if norm_a else math.inf if norm else 0.0,
        cosine=_product(a, b, norm_a, norm_b) if norm_a * norm_b else math.nan,
        **_scores(first, second, count),
        rank=numerical_rank(S, (len(a), groups * a.shape[1]), rounding),
        rounding=rounding,
        S_a=first.S,
        S_b=second.S,
        S=S,
    )


def _decomposed(weight: Tensor, count: int, groups: int) -> Decomposition:
    if groups == 1:
        return decompose(weight, count)
    return decompose_blocks(weight.unflatten(0, (groups, -1)), count)


def _product(a: Tensor, b: Tensor, norm_a: float, norm_b: float) -> float:
    """Return <A / ||A||, B / ||B||>; of norms alone it would drown where these differ much."""
    stripes = zip(a.detach().split(_STRIPE), b.detach().split(_STRIPE), strict=True)
    products = [(x.double() / norm_a * (y.double() / norm_b)).sum() for x, y in stripes]
    return max(-1.0, min(1.0, float(sum(products))))


def _scores(a: Decomposition, b: Decomposition, count: int) -> dict[str, float]:
    found = {
        "agreement_score": diagonal_score(singular_vector_agreement(a, b), count),
        "left_overlap": subspace_overlap(a.U, b.U),
        "right_overlap": subspace_overlap(a.Vh.mT, b.Vh.mT),
    }
    return {name: float(where_defined(value, a.S, b.S)) for name, value in found.items()}


def subspace_overlap(a: Tensor, b: Tensor) -> Tensor:
    """Return ||A^T B||_F^2 / k, the mean squared cosine of the principal angles of two subspaces.

    1 for one subspace, 0 for orthogonal ones, k / m for unrelated ones (Bjoerck & Golub 1973,
    https://doi.org/10.2307/2005662; as Hu et al. 2021, https://arxiv.org/abs/2106.09685, use it).

    Args:
        a: Orthonormal columns, shape (m, k); not modified.
        b: Likewise.

    Example:
        >>> subspace_overlap(torch.eye(4)[:, :2], torch.eye(4)[:, 1:3])
        tensor(0.5000)
    """
    return (a.mT @ b).square().sum() / a.shape[1]


def numerical_rank(S: Tensor, shape: tuple[int, ...], rounding: float) -> int:
    """Return how many singular values of a difference are above what rounding can account for.

    The threshold is `rounding`, or max(m, n) eps s_1 of float64, the rounding of a decomposition
    (Golub & Van Loan 2013, 5.4.1, https://doi.org/10.56021/9781421407944), if that is more.

    Args:
        S: Singular values of B - A, descending; not modified.
        shape: That of B - A.
        rounding: `rounding_level` of A and B.

    Example:
        >>> numerical_rank(torch.tensor([1.0, 0.5, 1e-9]), (3, 3), 1e-6)
        2
    """
    floor = max(shape) * torch.finfo(torch.float64).eps * float(S[0])
    return int((max(rounding, floor) < S).sum())


def rounding_level(*weights: Tensor) -> float:
    """Return a bound of the spectral norm of what rounding to their dtypes has left in weights.

    Rounding to nearest leaves in each entry an error of half a unit in its last place at most. For
    independent errors of mean zero, at most b_ij in magnitude, the expected spectral norm is at
    most max_i (sum_j b_ij^2)^(1/2) + max_j (sum_i b_ij^2)^(1/2), but for terms that vanish beside
    it as matrices grow (Bandeira & van Handel 2016, https://arxiv.org/abs/1408.6185): about
    eps / 2 max|w| (m^(1/2) + n^(1/2)). Singular values of a sum that are above it are then not
    those of rounding (Weyl).

    A weight that a coarser dtype could hold exactly counts as one of that: it was rounded to it
    before it was saved.

    Args:
        weights: Matrices of one shape, whose errors are added; not modified.

    Example:
        >>> rounding_level(torch.full((4, 4), 1.5, dtype=torch.bfloat16)) == 2**-8 * (2 + 2)
        True
    """
    dtypes = [_held_dtype(weight) for weight in weights]
    of_rows, of_columns = 0.0, weights[0].new_zeros(weights[0].shape[1], dtype=torch.float64)
    for rows in zip(*(weight.detach().split(_STRIPE) for weight in weights), strict=True):
        parts = zip(rows, dtypes, strict=True)
        squares = torch.stack([_largest_errors(*part).square() for part in parts]).sum(0)
        of_rows = max(of_rows, float(squares.sum(1).max()))
        of_columns += squares.sum(0)
    return math.sqrt(of_rows) + math.sqrt(float(of_columns.max()))


def _largest_errors(weight: Tensor, dtype: torch.dtype) -> Tensor:
    """Return half of a unit in the last place of every entry in a dtype, float64."""
    info = torch.finfo(dtype)
    smallest = round(math.log2(info.smallest_normal))
    exponents = weight.double().frexp().exponent - 1
    exponents = exponents.clamp(min=smallest).masked_fill(weight == 0, smallest)
    return torch.full_like(exponents, info.eps / 2, dtype=torch.float64).ldexp(exponents)


def _held_dtype(weight: Tensor) -> torch.dtype:
    """Return the coarsest dtype that holds all entries exactly, at most the weight's own."""
    weight = weight.detach()
    for dtype in _NARROW:
        if torch.finfo(dtype).bits >= torch.finfo(weight.dtype).bits:
            break
        if torch.equal(weight.to(dtype).to(weight.dtype), weight):
            return dtype
    return weight.dtype
