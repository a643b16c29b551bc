"""The quantities of a spectrum: the one list that tables, figures, the report and the docs read.

Each is a function of singular values S of shape (..., R), in any order, to shape (...), float64.
Another one is another function here: nothing else lists them.
"""

import math

import torch
from torch import Tensor

from specflow.spectra.registry import QUANTITIES as QUANTITIES
from specflow.spectra.registry import quantity

# Sums of probabilities round: 18 times 1/20 must not count as more than 0.9.
_ROUNDING = 1e-12


@quantity(
    label="effective rank",
    range=(1, "R"),
    cite="Roy & Vetterli 2007",
    url="https://ieeexplore.ieee.org/document/7098875",
)
def effective_rank(S: Tensor) -> Tensor:
    """Return exp(-sum p_i log p_i) with p_i = s_i / sum s.

    Args:
        S: Singular values, shape (..., R); not modified.

    Returns:
        Shape (...), in [1, R], dimensionless, float64.

    Raises:
        ValueError: If a spectrum is empty, all zero, negative or not finite.

    Example:
        >>> effective_rank(torch.tensor([2.0, 2.0, 0.0]))
        tensor(2., dtype=torch.float64)
    """
    return torch.special.entr(_shares(S)).sum(-1).exp()


@quantity(
    label="normalized effective rank",
    range=(0, 1),
    cite="Yunis et al. 2024",
    url="https://arxiv.org/abs/2408.11804",
)
def normalized_effective_rank(S: Tensor) -> Tensor:
    """Return `effective_rank` over R.

    Args:
        S: Singular values, shape (..., R); not modified.

    Returns:
        Shape (...), in (0, 1], dimensionless, float64.

    Raises:
        ValueError: If a spectrum is empty, all zero, negative or not finite.

    Example:
        >>> normalized_effective_rank(torch.tensor([2.0, 2.0, 0.0, 0.0]))
        tensor(0.5000, dtype=torch.float64)
    """
    return effective_rank(S) / S.shape[-1]


@quantity(
    label="mass rank",
    range=(0, 1),
    cite="Yunis et al. 2024, code",
    url="https://arxiv.org/abs/2408.11804",
)
def mass_rank(S: Tensor, mass: float = 0.9) -> Tensor:
    """Return the smallest k with sum_{i<=k} s_i / sum s > mass, over R.

    Args:
        S: Singular values, shape (..., R); not modified.
        mass: Share of the sum of the singular values to exceed, in (0, 1).

    Returns:
        Shape (...), in (0, 1], dimensionless, float64.

    Raises:
        ValueError: If mass is not in (0, 1), or a spectrum is empty, all zero, negative or not
            finite.

    Example:
        >>> mass_rank(torch.tensor([8.0, 1.0, 0.5, 0.5]))
        tensor(0.7500, dtype=torch.float64)
    """
    if not 0 < mass < 1:
        raise ValueError(f"mass is {mass}; expected a share in (0, 1)")
    held = _shares(S).sort(-1, descending=True).values.cumsum(-1)
    too_few = (held <= mass + _ROUNDING).sum(-1).clamp(max=S.shape[-1] - 1)
    return (too_few + 1).double() / S.shape[-1]


@quantity(
    label="stable rank",
    range=(1, "R"),
    cite="Rudelson & Vershynin 2007",
    url="https://arxiv.org/abs/math/0503442",
)
def stable_rank(S: Tensor) -> Tensor:
    """Return sum s_i^2 / s_1^2 = ||W||_F^2 / ||W||_2^2.

    Args:
        S: Singular values, shape (..., R); not modified.

    Returns:
        Shape (...), in [1, R], dimensionless, float64.

    Raises:
        ValueError: If a spectrum is empty, all zero, negative or not finite.

    Example:
        >>> stable_rank(torch.tensor([2.0, 1.0, 1.0]))
        tensor(1.5000, dtype=torch.float64)
    """
    return _over_largest(S).square().sum(-1)


@quantity(
    label="Gini index",
    range=(0, "1 - 1/R"),
    cite="Hurley & Rickard 2009",
    url="https://arxiv.org/abs/0811.4706",
)
def gini(S: Tensor) -> Tensor:
    """Return sum_i (2i - R - 1) s_(i) / (R sum s), with s_(i) ascending and i from 1.

    0 for equal singular values, 1 - 1/R for a single one.

    Args:
        S: Singular values, shape (..., R); not modified.

    Returns:
        Shape (...), in [0, 1 - 1/R], dimensionless, float64.

    Raises:
        ValueError: If a spectrum is empty, all zero, negative or not finite.

    Example:
        >>> gini(torch.tensor([5.0, 0.0, 0.0, 0.0]))
        tensor(0.7500, dtype=torch.float64)
    """
    ascending = _shares(S).sort(-1).values
    R = S.shape[-1]
    index = torch.arange(1, R + 1, dtype=torch.float64, device=S.device)
    return ((2 * index - R - 1) * ascending).sum(-1) / R


@quantity(
    label="Frobenius norm",
    range=(0, math.inf),
    cite="Golub & Van Loan 2013, 2.3",
    url="https://doi.org/10.56021/9781421407944",
)
def frobenius_norm(S: Tensor) -> Tensor:
    """Return sqrt(sum s_i^2) = ||W||_F.

    Args:
        S: Singular values, shape (..., R); not modified.

    Returns:
        Shape (...), 0 or more, in units of the weights, float64.

    Raises:
        ValueError: If a spectrum is empty, negative or not finite.

    Example:
        >>> frobenius_norm(torch.tensor([4.0, 3.0]))
        tensor(5., dtype=torch.float64)
    """
    return _checked(S).square().sum(-1).sqrt()


@quantity(
    label="spectral norm",
    range=(0, math.inf),
    cite="Golub & Van Loan 2013, 2.3",
    url="https://doi.org/10.56021/9781421407944",
)
def spectral_norm(S: Tensor) -> Tensor:
    """Return s_1 = ||W||_2.

    Args:
        S: Singular values, shape (..., R); not modified.

    Returns:
        Shape (...), 0 or more, in units of the weights, float64.

    Raises:
        ValueError: If a spectrum is empty, negative or not finite.

    Example:
        >>> spectral_norm(torch.tensor([4.0, 3.0]))
        tensor(4., dtype=torch.float64)
    """
    return _checked(S).amax(-1)


@quantity(
    label="log norm",
    range=(-math.inf, math.inf),
    cite="Martin et al. 2021",
    url="https://doi.org/10.1038/s41467-021-24025-8",
)
def log_norm(S: Tensor) -> Tensor:
    """Return log10 ||W||_F^2, as weightwatcher has it.

    Args:
        S: Singular values, shape (..., R); not modified.

    Returns:
        Shape (...), dimensionless, float64.

    Raises:
        ValueError: If a spectrum is empty, all zero, negative or not finite.

    Example:
        >>> log_norm(torch.tensor([8.0, 6.0]))
        tensor(2., dtype=torch.float64)
    """
    return 2 * _not_zero(frobenius_norm(S)).log10()


@quantity(
    label="log spectral norm",
    range=(-math.inf, math.inf),
    cite="Martin et al. 2021",
    url="https://doi.org/10.1038/s41467-021-24025-8",
)
def log_spectral_norm(S: Tensor) -> Tensor:
    """Return log10 ||W||_2^2, as weightwatcher has it.

    Args:
        S: Singular values, shape (..., R); not modified.

    Returns:
        Shape (...), dimensionless, float64.

    Raises:
        ValueError: If a spectrum is empty, all zero, negative or not finite.

    Example:
        >>> log_spectral_norm(torch.tensor([10.0, 6.0]))
        tensor(2., dtype=torch.float64)
    """
    return 2 * _not_zero(spectral_norm(S)).log10()


def _shares(S: Tensor) -> Tensor:
    over_largest = _over_largest(S)
    return over_largest / over_largest.sum(-1, keepdim=True)


def _over_largest(S: Tensor) -> Tensor:
    """Return S / s_1, so that neither sums nor squares overflow."""
    values = _checked(S)
    return values / _not_zero(values.amax(-1, keepdim=True))


def _checked(S: Tensor) -> Tensor:
    """Return S in float64.

    Raises:
        ValueError: If a spectrum is empty, negative or not finite.
    """
    if S.ndim == 0 or S.shape[-1] == 0:
        raise ValueError(f"a spectrum of shape {tuple(S.shape)} is empty; expected (..., R), R > 0")
    values = S.detach().double()
    if not values.isfinite().all():
        raise ValueError("a spectrum holds NaN or infinity; expected finite singular values")
    if (values < 0).any():
        raise ValueError(f"a spectrum holds {values.min():.3g}; expected no negative values")
    return values


def _not_zero(norms: Tensor) -> Tensor:
    """Return norms.

    Raises:
        ValueError: If one is 0.
    """
    if (norms == 0).any():
        raise ValueError("a spectrum is all zero, its rank is not defined; expected some s > 0")
    return norms
