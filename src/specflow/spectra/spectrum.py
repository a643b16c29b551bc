"""What a spectrum must be before a quantity is made of it: finite, not negative, not all zero."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def shares(S: Tensor) -> Tensor:
    """Return S / sum S."""
    scaled = over_largest(S)
    return scaled / scaled.sum(-1, keepdim=True)


def over_largest(S: Tensor) -> Tensor:
    """Return S / s_1, so that neither sums nor squares overflow."""
    values = checked(S)
    return values / not_zero(values.amax(-1, keepdim=True))


def each_spectrum(S: Tensor, function: Callable[[Tensor], Sequence[float]]) -> Tensor:
    """Return what a function says of each spectrum, descending, of shape (..., R): (..., count).

    Raises:
        ValueError: If one is empty, negative, not finite or all zero.
    """
    values = checked(S)
    not_zero(values.amax(-1))
    rows = values.sort(-1, descending=True).values.reshape(-1, S.shape[-1])
    found = torch.tensor([tuple(function(row)) for row in rows], dtype=torch.float64)
    return found.reshape(*S.shape[:-1], -1).to(S.device)


def checked(S: Tensor) -> Tensor:
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


def not_zero(norms: Tensor) -> Tensor:
    """Return norms.

    Raises:
        ValueError: If one is 0.
    """
    if (norms == 0).any():
        raise ValueError("a spectrum is all zero, its rank is not defined; expected some s > 0")
    return norms
