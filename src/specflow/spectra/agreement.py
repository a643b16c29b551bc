"""Agreement of the singular vectors of two matrices of one shape, and scores of diagonals."""

from torch import Tensor

from specflow.spectra.alignment import alignment_null_level
from specflow.spectra.decomposition import Decomposition, decompose


def singular_vector_agreement(a: Tensor | Decomposition, b: Tensor | Decomposition) -> Tensor:
    """Return A_ij = |<u_i, u'_j> <v_i, v'_j>| (Yunis et al. 2024, https://arxiv.org/abs/2408.11804).

    The identity for a matrix and itself if its singular values are distinct; about
    `agreement_null_level` everywhere for unrelated matrices.

    Args:
        a: Weight, or its decomposition with k_a singular vectors; not modified.
        b: Weight of the same shape as a matrix, or its decomposition with k_b singular vectors.

    Returns:
        Shape (k_a, k_b), in [0, 1], float64.

    Raises:
        ValueError: If the two matrices are not of one shape.

    Example:
        >>> import torch
        >>> first, second = torch.tensor([[2.0, 0], [0, 1]]), torch.tensor([[1.0, 0], [0, 2]])
        >>> singular_vector_agreement(first, second)  # their directions are swapped
        tensor([[0., 1.],
                [1., 0.]], dtype=torch.float64)
    """
    first = a if isinstance(a, Decomposition) else decompose(a)
    second = b if isinstance(b, Decomposition) else decompose(b)
    if _shape(first) != _shape(second):
        raise ValueError(
            f"matrices of shape {_shape(first)} and {_shape(second)} cannot agree; "
            "expected one shape"
        )
    return ((first.U.mT @ second.U) * (first.Vh @ second.Vh.mT)).abs()


def agreement_null_level(rows: int, columns: int) -> float:
    """Return the expected agreement of unrelated directions in matrices of a shape.

    E|<u, u'>| E|<v, v'>| for independent, uniformly random unit vectors, in (0, 1]; about
    2 / (pi sqrt(rows * columns)).

    Example:
        >>> round(agreement_null_level(64, 64), 3)
        0.01
    """
    return alignment_null_level(rows) * alignment_null_level(columns)


def diagonal_score(matrix: Tensor, count: int = 10) -> Tensor:
    """Return the mean of the first diagonal entries of an agreement or alignment matrix.

    Args:
        matrix: Shape (..., k, l); not modified.
        count: How many entries; all min(k, l) where there are fewer.

    Returns:
        Shape (...), float64.

    Raises:
        ValueError: If count is less than 1, or there is no diagonal entry.

    Example:
        >>> import torch
        >>> diagonal_score(torch.diag(torch.tensor([1.0, 0.5, 0.0])), count=2)
        tensor(0.7500, dtype=torch.float64)
    """
    if count < 1:
        raise ValueError(f"count is {count}; expected 1 or more diagonal entries")
    if matrix.ndim < 2 or 0 in matrix.shape[-2:]:
        raise ValueError(f"shape {tuple(matrix.shape)} has no diagonal; expected (..., k, l)")
    return matrix.detach().double().diagonal(dim1=-2, dim2=-1)[..., :count].mean(-1)


def _shape(of: Decomposition) -> tuple[int, int]:
    return of.U.shape[0], of.Vh.shape[1]
