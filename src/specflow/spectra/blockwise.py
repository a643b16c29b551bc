"""Singular values of a matrix that is never formed as a whole in float64, from blocks of its rows.

So the change of a large embedding between two steps takes no more memory than these two. The
accuracy is that of `decomposition`: the Gram matrix, and where that is too coarse for the smallest
values, a QR decomposition block by block (Demmel et al. 2012, arXiv 0808.2664).
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from specflow.spectra.decomposition import VALUE_FLOOR
from specflow.spectra.large import is_large, leading_eigenvectors, product

_LEAST = 2**22  # entries of a block, at least


def blockwise_singular_values(shape: tuple[int, int], rows: Callable[[slice], Tensor]) -> Tensor:
    """Return all singular values of a matrix, whose rows are given on demand.

    Args:
        shape: Of the matrix, (m, n) with m >= n.
        rows: From a range of rows to these rows, shape (b, n), float64; called more than once.

    Returns:
        Shape (n,), descending, float64.

    Raises:
        ValueError: If an entry is not finite.

    Example:
        >>> matrix = torch.tensor([[3.0, 0.0], [0.0, 4.0], [0.0, 0.0]]).double()
        >>> blockwise_singular_values((3, 2), lambda some: matrix[some])
        tensor([4., 3.], dtype=torch.float64)
    """
    gram = None
    for block in _blocks(shape, rows):
        own = product(block.mT, block) if is_large(block) else block.mT @ block
        gram = own if gram is None else gram.add_(own)
    if gram is None or not gram.isfinite().all():
        raise ValueError("a matrix holds NaN or infinity, or nothing; expected finite entries")
    if is_large(gram):
        squares = leading_eigenvectors(gram, 0)[0]
    else:
        squares = torch.linalg.eigvalsh(gram, UPLO="U")
    S = squares.clamp(min=0).sqrt().flip(0)
    return _exact(shape, rows) if S[-1] <= VALUE_FLOOR * S[0] else S


def _exact(shape: tuple[int, int], rows: Callable[[slice], Tensor]) -> Tensor:
    triangle = None
    for block in _blocks(shape, rows):
        above = block if triangle is None else torch.cat([triangle, block])
        triangle = torch.linalg.qr(above, mode="r").R
    assert triangle is not None  # since there was a Gram matrix
    return torch.linalg.svdvals(triangle)


def _blocks(shape: tuple[int, int], rows: Callable[[slice], Tensor]) -> Iterator[Tensor]:
    length, width = shape
    size = max(width, _LEAST // max(width, 1))
    return (rows(slice(start, start + size)) for start in range(0, length, size))
