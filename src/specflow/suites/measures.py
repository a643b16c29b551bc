"""What is computed of single matrices and pairs of a suite, each from one decomposition."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from specflow.suites.leading import leading_side
from specflow.suites.wiring import SuiteMeeting, SuitePair
from torch import Tensor

from specflow.spectra import (
    Decomposition,
    alignment,
    effective_rank,
    gini,
    mass_rank,
    normalized_effective_rank,
    singular_vector_agreement,
    stable_rank,
)
from specflow.spectra import decompose as decompose_matrix

Factors = Mapping[str, Decomposition]


def decompose(weight: Tensor, count: int) -> Decomposition:
    """Return the decomposition of a matrix; one that is not finite has NaN for everything.

    Args:
        weight: Shape (m, n); not modified.
        count: How many singular vectors.

    Raises:
        torch.linalg.LinAlgError: If LAPACK does not converge.
    """
    if torch.stack(weight.aminmax()).isfinite().all():
        return decompose_matrix(weight, count, leading_side(weight, count))
    rows, columns = weight.shape
    return undefined(rows, columns, count)


def undefined(rows: int, columns: int, count: int) -> Decomposition:
    """Return the decomposition of a matrix that is not there: NaN for everything."""
    smaller = min(rows, columns)
    kept = min(count, smaller)

    def nan(*shape: int) -> Tensor:
        return torch.full(shape, math.nan, dtype=torch.float64)

    return Decomposition(nan(rows, kept), nan(smaller), nan(kept, columns))


def is_defined(S: Tensor) -> bool:
    """Return whether a spectrum has ranks and directions: it is finite and not all zero."""
    return bool(S[0] > 0)


def spectrum_measures(S: Tensor, mass: float) -> dict[str, float]:
    """Return ranks and norms of a matrix from its singular values.

    log_norm and log_spectral_norm are as weightwatcher (Martin et al. 2021) has them: log10 of
    the squares, log10 ||W||_F^2 and log10 ||W||_2^2.

    Args:
        S: Singular values, shape (R,), descending.
        mass: Share of their sum that the mass rank must exceed.

    Returns:
        By name; NaN where not defined. The norms of an all-zero matrix are 0.
    """
    norm, top = float(S.square().sum().sqrt()), float(S[0])
    norms = {"frobenius_norm": norm, "spectral_norm": top}
    logs = {"log_norm": norm, "log_spectral_norm": top}
    ranks = {
        "effective_rank": effective_rank,
        "normalized_effective_rank": normalized_effective_rank,
        "stable_rank": stable_rank,
        "gini": gini,
        "mass_rank": lambda values: mass_rank(values, mass),
    }
    if not is_defined(S):
        return norms | dict.fromkeys([*ranks, *logs], math.nan)
    return (
        norms
        | {name: 2 * math.log10(value) for name, value in logs.items()}
        | {name: float(rank(S)) for name, rank in ranks.items()}
    )


def agreement_diagonal(now: Decomposition, other: Decomposition) -> np.ndarray:
    """Return the diagonal of the agreement, shape (k,); NaN if one of the two is not defined."""
    diagonal = singular_vector_agreement(now, other).diagonal()
    if not (is_defined(now.S) and is_defined(other.S)):
        diagonal = torch.full_like(diagonal, math.nan)
    return diagonal.numpy()


def pair_diagonal(pair: SuitePair, factors: Factors) -> np.ndarray:
    """Return the diagonal of the alignment of a pair, the mean over its meetings.

    Args:
        pair: The pair; at a convolution, the centre of the kernel is what counts.
        factors: Decompositions of all that it compares.

    Returns:
        Shape (k,); NaN if a matrix is not defined.
    """
    diagonals = [_meeting_diagonal(meeting, factors) for meeting in pair.meetings]
    return np.mean(diagonals, axis=0)


def _meeting_diagonal(meeting: SuiteMeeting, factors: Factors) -> np.ndarray:
    previous, following = factors[meeting.previous], factors[meeting.following]
    matrix = alignment(
        previous,
        following,
        previous_side=meeting.previous_side,
        following_side=meeting.following_side,
        kernel=meeting.kernel or (1, 1),
    )
    if not (is_defined(previous.S) and is_defined(following.S)):
        matrix = torch.full_like(matrix, math.nan)
    return matrix.diagonal().numpy()


def score(diagonal: np.ndarray, length: int) -> float:
    """Return the mean of the first entries of a diagonal."""
    return float(np.mean(diagonal[:length]))


def names_met(pairs: Sequence[SuitePair]) -> dict[str, None]:
    """Return the names of all matrices that pairs compare, each once."""
    met = [m for pair in pairs for m in pair.meetings]
    return dict.fromkeys(name for m in met for name in (m.previous, m.following))
