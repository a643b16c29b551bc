"""A matrix with its entries permuted: what their values alone make of a spectrum, not their places.

Entries of one row are as large as those of any other then, and whatever correlation there was is
gone: the spectrum is that of noise, with heavy-tailed entries too (which no fitted scale tells).
"""

import numpy as np
import torch
from torch import Tensor

from specflow.spectra.blockwise import blockwise_singular_values
from specflow.spectra.quantities import effective_rank, quantity

_INTEGERS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}  # of as many bytes


def permuted_singular_values(weight: Tensor, seed: int) -> Tensor:
    """Return the singular values of a matrix with its entries in random order.

    Args:
        weight: Matrix (m, n); not modified.
        seed: Of the order, in [0, 2^63).

    Returns:
        Shape (min(m, n),), descending, float64.

    Raises:
        ValueError: If it is no matrix, or empty or not finite.

    Example:
        >>> permuted_singular_values(torch.tensor([[2.0, 0.0]]), seed=0)
        tensor([2.], dtype=torch.float64)
    """
    if weight.ndim != 2:
        raise ValueError(f"got shape {tuple(weight.shape)}; expected a matrix")
    size = weight.shape if len(weight) >= weight.shape[1] else weight.shape[::-1]
    entries = weight.detach().cpu().flatten().view(_INTEGERS[weight.element_size()]).numpy()
    mixed = np.random.default_rng(seed).permutation(entries)  # numpy copies, and has no bfloat16
    tall = torch.from_numpy(mixed).view(weight.dtype).view(size).to(weight.device)
    return blockwise_singular_values((size[0], size[1]), lambda some: tall[some].double())


@quantity(
    label="effective rank, permuted",
    range=(1, "R"),
    cite="Roy & Vetterli 2007",
    url="https://ieeexplore.ieee.org/document/7098875",
    family="permuted",
    of="permuted_singular_values",
)
def permuted_effective_rank(S: Tensor) -> Tensor:
    """Return `effective_rank` of the same matrix with its entries permuted at random.

    Example:
        >>> permuted_effective_rank(torch.ones(3))
        tensor(3.0000, dtype=torch.float64)
    """
    return effective_rank(S)
