"""All singular values and the leading singular vectors of one side, for less than all vectors take.

The Gram matrix is brought to tridiagonal form once (Golub & Van Loan 2013, 8.3). Its eigenvalues
follow from that in no time, and eigenvectors are computed and brought back for the leading ones
alone (MRRR, Dhillon & Parlett 2004): a third of the time of all eigenvectors where a hundred of
2048 are wanted. `decompose` takes it from there, with the floors that guard its accuracy.
"""

import numpy as np
import torch
from scipy.linalg import LinAlgError, eigh_tridiagonal, lapack
from torch import Tensor

from specflow.spectra.decomposition import GRAM_DTYPES, Side

_LEAST_SIZE = 256  # below it, all vectors take no longer
_STRIPE = 128


def leading_side(weight: Tensor, count: int) -> Side | None:
    """Return singular values and leading singular vectors of the smaller side of a matrix.

    To be called with one BLAS thread, so that the result does not depend on their number.

    Args:
        weight: Matrix (m, n), finite; not modified.
        count: How many singular vectors.

    Returns:
        What `decompose` takes, with `count` vectors; None where that is no faster, where float64
        weights need more accuracy than a Gram matrix has, or where LAPACK gave up.
    """
    size = min(weight.shape)
    if weight.dtype not in GRAM_DTYPES or size < _LEAST_SIZE or 2 * count > size:
        return None
    gram = _lower_gram(weight.double())
    work = int(lapack.dsytrd_lwork(size, lower=1)[0])
    reflectors, diagonal, beside, tau, failed = lapack.dsytrd(
        np.asfortranarray(gram.numpy()), lower=1, lwork=work, overwrite_a=True
    )
    squares, failed_values = lapack.dsterf(diagonal, beside)
    if failed or failed_values:
        return None
    try:
        leading = (size - count, size - 1)
        _, vectors = eigh_tridiagonal(
            diagonal, beside, select="i", select_range=leading, lapack_driver="stemr"
        )
    except LinAlgError:
        return None
    vectors = torch.from_numpy(vectors)
    householder, scales = torch.from_numpy(reflectors)[1:, :-1], torch.from_numpy(tau)
    vectors[1:] = torch.ormqr(householder, scales, vectors[1:])
    return Side(torch.from_numpy(squares).clamp(min=0).sqrt().flip(0), vectors.flip(1))


def _lower_gram(matrix: Tensor) -> Tensor:
    """Return the lower half of the Gram matrix of the smaller side, in stripes of rows."""
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.mT
    gram = wide.new_zeros(len(wide), len(wide))
    for start in range(0, len(wide), _STRIPE):
        stop = min(start + _STRIPE, len(wide))
        torch.mm(wide[start:stop], wide[:stop].mT, out=gram[start:stop, :stop])
    return gram
