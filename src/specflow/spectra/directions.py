"""Which spectra have ranks, and which singular values have directions."""

import torch
from torch import Tensor

# Below this share of s_1 a singular value is rounding, and its singular vectors are arbitrary.
ZERO = 1e-9


def is_defined(S: Tensor) -> Tensor:
    """Return whether spectra have ranks and directions: they are finite and not all zero.

    Args:
        S: Singular values, shape (..., R), R > 0; not modified.

    Returns:
        Shape (...), bool.

    Example:
        >>> import torch
        >>> is_defined(torch.tensor([[2.0, 1.0], [0.0, 0.0], [float("nan"), 1.0]]))
        tensor([ True, False, False])
    """
    return S.isfinite().all(-1) & (S.amax(-1) > 0)


def is_direction(S: Tensor) -> Tensor:
    """Return which singular values count as directions: s_i > 1e-9 s_1.

    Args:
        S: Singular values, shape (..., R), R > 0; not modified.

    Returns:
        Shape (..., R), bool; nowhere true of a spectrum that is not defined.

    Example:
        >>> import torch
        >>> is_direction(torch.tensor([2.0, 1.0, 1e-12]))
        tensor([ True,  True, False])
    """
    floor = ZERO * S.amax(-1, keepdim=True)
    return (floor < S) & is_defined(S)[..., None]


def where_defined(values: Tensor, *spectra: Tensor) -> Tensor:
    """Return what was computed of matrices, or NaN in its place if a spectrum is not defined.

    Args:
        values: Any shape, floating point; not modified.
        spectra: Singular values of each matrix, shape (R,), R > 0; not modified.

    Returns:
        Shape of values.

    Example:
        >>> import torch
        >>> where_defined(torch.ones(2), torch.tensor([1.0, 0.0]), torch.zeros(2))
        tensor([nan, nan])
    """
    defined = all(bool(is_defined(S)) for S in spectra)
    return values if defined else torch.full_like(values, torch.nan)
