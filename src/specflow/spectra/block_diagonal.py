"""Block-diagonal matrices, those of grouped convolutions: decomposed block by block."""

from collections.abc import Callable

import torch
from torch import Tensor

from specflow.spectra.decomposition import Decomposition, decompose


def singular_values_of_blocks(
    function: Callable[..., Tensor], groups: int, *stacked: Tensor
) -> Tensor:
    """Return the singular values of a block-diagonal matrix, those of all its blocks together.

    Args:
        function: From a block of each matrix to its singular values, in any order.
        groups: How many blocks there are.
        stacked: Matrices (groups m, n), their blocks one below the other.

    Example:
        >>> singular_values_of_blocks(torch.linalg.svdvals, 2, torch.tensor([[1.0], [3.0]]))
        tensor([3., 1.])
    """
    blocks = zip(*(one.unflatten(0, (groups, -1)) for one in stacked), strict=True)
    return torch.cat([function(*block) for block in blocks]).sort(descending=True).values


def decompose_blocks(blocks: Tensor, count: int | None = None) -> Decomposition:
    """Return the decomposition of a block-diagonal matrix, its blocks being all that is stored.

    Its singular values are those of all blocks together, and each singular vector is that of a
    block, 0 elsewhere (Golub & Van Loan 2013, 2.4).

    Args:
        blocks: Shape (groups, m, n); the matrix is (groups m, groups n).
        count: How many singular vectors to return, at most all; None means all.

    Raises:
        ValueError: As of `decompose`.
        torch.linalg.LinAlgError: If LAPACK does not converge.

    Example:
        >>> decompose_blocks(torch.tensor([[[1.0]], [[3.0]]])).S
        tensor([3., 1.], dtype=torch.float64)
    """
    groups, rows, columns = blocks.shape
    parts = [decompose(block, count) for block in blocks]
    S, order = torch.cat([part.S for part in parts]).sort(descending=True, stable=True)
    kept = len(S) if count is None else min(count, len(S))
    U = S.new_zeros(groups * rows, kept)
    Vh = S.new_zeros(kept, groups * columns)
    for place, number in enumerate(order[:kept].tolist()):
        block, which = divmod(number, min(rows, columns))
        U[block * rows : (block + 1) * rows, place] = parts[block].U[:, which]
        Vh[place, block * columns : (block + 1) * columns] = parts[block].Vh[which]
    return Decomposition(U, S, Vh)
