"""What training adds to a matrix: the spectrum of the difference of two steps."""

import math

from torch import Tensor

from specflow.spectra.blockwise import blockwise_singular_values
from specflow.spectra.quantities import effective_rank, frobenius_norm, quantity

_RANK = {"cite": "Roy & Vetterli 2007", "url": "https://ieeexplore.ieee.org/document/7098875"}
_NORM = {"cite": "Golub & Van Loan 2013, 2.3", "url": "https://doi.org/10.56021/9781421407944"}


def change_singular_values(now: Tensor, then: Tensor) -> Tensor:
    """Return the singular values of the difference of a matrix at two steps, in float64.

    Args:
        now: Matrix (m, n); not modified.
        then: The same at an earlier step; not modified.

    Returns:
        Shape (min(m, n),), descending, float64; all 0 if nothing has changed.

    Raises:
        ValueError: If the shapes differ, or the difference is empty or not finite.

    Example:
        >>> import torch
        >>> change_singular_values(torch.eye(2), torch.diag(torch.tensor([1.0, 4.0])))
        tensor([3., 0.], dtype=torch.float64)
    """
    if now.ndim != 2 or now.shape != then.shape:
        shapes = f"{tuple(now.shape)} and {tuple(then.shape)}"
        raise ValueError(f"got shapes {shapes}; expected two matrices of one shape")
    a, b = (one if len(one) >= one.shape[1] else one.mT for one in (now, then))
    rows, columns = a.shape
    return blockwise_singular_values((rows, columns), lambda some: a[some].double() - b[some])


@quantity(
    label="effective rank of the change since the first step",
    range=(1, "R"),
    family="changes",
    of="change_singular_values",
    **_RANK,
)
def change_effective_rank(S: Tensor) -> Tensor:
    """Return `effective_rank` of W_t - W_0, the first step's.

    Example:
        >>> import torch
        >>> change_effective_rank(torch.tensor([2.0, 2.0, 0.0]))
        tensor(2., dtype=torch.float64)
    """
    return effective_rank(S)


@quantity(
    label="norm of the change since the first step",
    range=(0, math.inf),
    family="changes",
    of="change_singular_values",
    **_NORM,
)
def change_norm(S: Tensor) -> Tensor:
    """Return ||W_t - W_0||_F, the first step's.

    Example:
        >>> import torch
        >>> change_norm(torch.tensor([4.0, 3.0]))
        tensor(5., dtype=torch.float64)
    """
    return frobenius_norm(S)


@quantity(
    label="effective rank of the change since the step before",
    range=(1, "R"),
    family="changes",
    of="step_change_singular_values",
    **_RANK,
)
def step_change_effective_rank(S: Tensor) -> Tensor:
    """Return `effective_rank` of W_t - W_(t-1), that of the step before.

    Example:
        >>> import torch
        >>> step_change_effective_rank(torch.tensor([2.0, 2.0, 0.0]))
        tensor(2., dtype=torch.float64)
    """
    return effective_rank(S)


@quantity(
    label="norm of the change since the step before",
    range=(0, math.inf),
    family="changes",
    of="step_change_singular_values",
    **_NORM,
)
def step_change_norm(S: Tensor) -> Tensor:
    """Return ||W_t - W_(t-1)||_F, that of the step before.

    Example:
        >>> import torch
        >>> step_change_norm(torch.tensor([4.0, 3.0]))
        tensor(5., dtype=torch.float64)
    """
    return frobenius_norm(S)
