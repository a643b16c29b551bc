"""Measures of the rank of a spectrum: all dimensionless, and unchanged by the scale of S.

Each takes singular values S of shape (..., R), in any order, and returns shape (...), float64.
"""

import torch
from torch import Tensor

# Sums of probabilities round: 18 times 1/20 must not count as more than 0.9.
_ROUNDING = 1e-12


def effective_rank(S: Tensor) -> Tensor:
    """Return exp(-sum p_i log p_i) with p_i = s_i / sum s (Roy & Vetterli 2007).

    Args:
        S: Singular values, shape (..., R); not modified.

    Returns:
        Shape (...), in [1, R], float64.

    Raises:
        ValueError: If a spectrum is empty, all zero, negative or not finite.
    """
    return torch.special.entr(_shares(S)).sum(-1).exp()


def normalized_effective_rank(S: Tensor) -> Tensor:
    """Return `effective_rank` over R (Yunis et al. 2024, arXiv 2408.11804, main figures).

    Args:
        S: Singular values, shape (..., R); not modified.

    Returns:
        Shape (...), in (0, 1], float64.

    Raises:
        ValueError: If a spectrum is empty, all zero, negative or not finite.
    """
    return effective_rank(S) / S.shape[-1]


def stable_rank(S: Tensor) -> Tensor:
    """Return sum s_i^2 / s_1^2 = ||W||_F^2 / ||W||_2^2 (Rudelson & Vershynin 2007).

    Args:
        S: Singular values, shape (..., R); not modified.

    Returns:
        Shape (...), in [1, R], float64.

    Raises:
        ValueError: If a spectrum is empty, all zero, negative or not finite.
    """
    return _over_largest(S).square().sum(-1)


def mass_rank(S: Tensor, mass: float = 0.9) -> Tensor:
    """Return the smallest k with sum_{i<=k} s_i / sum s > mass, over R (Yunis et al. 2024, code).

    Args:
        S: Singular values, shape (..., R); not modified.
        mass: Share of the sum of the singular values to exceed, in (0, 1).

    Returns:
        Shape (...), in (0, 1], float64.

    Raises:
        ValueError: If mass is not in (0, 1), or a spectrum is empty, all zero, negative or not
            finite.
    """
    if not 0 < mass < 1:
        raise ValueError(f"mass is {mass}; expected a share in (0, 1)")
    held = _shares(S).sort(-1, descending=True).values.cumsum(-1)
    too_few = (held <= mass + _ROUNDING).sum(-1).clamp(max=S.shape[-1] - 1)
    return (too_few + 1).double() / S.shape[-1]


def gini(S: Tensor) -> Tensor:
    """Return the Gini index of a spectrum (Gini 1912; Yunis et al. 2024, code).

    sum_i (2i - R - 1) s_(i) / (R sum s), with s_(i) ascending and i from 1: 0 for equal singular
    values, 1 - 1/R for a single one.

    Args:
        S: Singular values, shape (..., R); not modified.

    Returns:
        Shape (...), in [0, 1 - 1/R], float64.

    Raises:
        ValueError: If a spectrum is empty, all zero, negative or not finite.
    """
    ascending = _shares(S).sort(-1).values
    R = S.shape[-1]
    index = torch.arange(1, R + 1, dtype=torch.float64, device=S.device)
    return ((2 * index - R - 1) * ascending).sum(-1) / R


def _shares(S: Tensor) -> Tensor:
    over_largest = _over_largest(S)
    return over_largest / over_largest.sum(-1, keepdim=True)


def _over_largest(S: Tensor) -> Tensor:
    """Return S / s_1 in float64, so that neither sums nor squares overflow.

    Raises:
        ValueError: If a spectrum is empty, all zero, negative or not finite.
    """
    if S.ndim == 0 or S.shape[-1] == 0:
        raise ValueError(f"a spectrum of shape {tuple(S.shape)} is empty; expected (..., R), R > 0")
    values = S.detach().double()
    if not values.isfinite().all():
        raise ValueError("a spectrum holds NaN or infinity; expected finite singular values")
    if (values < 0).any():
        raise ValueError(f"a spectrum holds {values.min():.3g}; expected no negative values")
    largest = values.amax(-1, keepdim=True)
    if (largest == 0).any():
        raise ValueError("a spectrum is all zero, its rank is not defined; expected some s > 0")
    return values / largest
