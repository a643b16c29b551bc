"""What a spectrum must be before a quantity is made of it: finite, not negative, not all zero."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeVar

import torch
from torch import Tensor

F = TypeVar("F")
Fits = Callable[[Tensor, int, int], Sequence[F]]

_REMEMBERED = 64  # calls, of which several threads may each make some


def shares(S: Tensor) -> Tensor:
    """Return S / sum S."""
    scaled = over_largest(S)
    return scaled / scaled.sum(-1, keepdim=True)


def over_largest(S: Tensor) -> Tensor:
    """Return S / s_1, so that neither sums nor squares overflow."""
    values = checked(S)
    return values / not_zero(values.amax(-1, keepdim=True))


def each_spectrum(
    S: Tensor, rows: int, columns: int, fits: Fits[F], function: Callable[[Tensor, F], float]
) -> Tensor:
    """Return what a function says of each spectrum (R,), descending, and its fit.

    Args:
        S: Singular values of matrices of one shape, (..., R); not modified.
        rows: Of each matrix.
        columns: Of each matrix.
        fits: What `remembering` returned.
        function: What is said.

    Returns:
        Shape (...).

    Raises:
        ValueError: If one is empty, negative, not finite or all zero.
    """
    values = checked(S)
    not_zero(values.amax(-1))
    spectra = values.sort(-1, descending=True).values.reshape(-1, S.shape[-1])
    both = zip(spectra, fits(spectra, rows, columns), strict=True)
    found = torch.tensor([function(one, fit) for one, fit in both], dtype=torch.float64)
    return found.reshape(S.shape[:-1]).to(S.device)


def remembering(fit: Callable[[Tensor, int, int], F]) -> Fits[F]:
    """Return what makes the fits of spectra (N, R) of matrices of one shape, and keeps the last.

    Several quantities are made of the same fits, one after the other.
    """

    @lru_cache(maxsize=_REMEMBERED)
    def fits(content: bytes, length: int, rows: int, columns: int) -> tuple[F, ...]:
        spectra = torch.frombuffer(bytearray(content), dtype=torch.float64).view(-1, length)
        return tuple(fit(S, rows, columns) for S in spectra)

    return lambda S, rows, columns: fits(S.cpu().numpy().tobytes(), S.shape[1], rows, columns)


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
