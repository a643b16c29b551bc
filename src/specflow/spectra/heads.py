"""What an attention head computes of two inputs: the spectrum of a product, from thin factors."""

import torch
from torch import Tensor


def product_singular_values(a: Tensor, b: Tensor) -> Tensor:
    """Return the singular values of A^T B, which is never formed.

    Of one head, with A = W_Q and B = W_K of shape (head size, width), these are those of
    W_Q^T W_K, the bilinear form of attention scores (Elhage et al. 2021,
    https://transformer-circuits.pub/2021/framework); with A = W_V and B = W_O^T, those of what it
    writes of what it reads. From A^T = Q_a R_a and B^T = Q_b R_b they are those of R_a R_b^T.

    Args:
        a: Matrix (h, m); not modified.
        b: Matrix (h, n); not modified.

    Returns:
        Shape (min(h, m, n),), descending, float64: no others differ from 0.

    Raises:
        ValueError: If they are not matrices with as many rows, or not finite.

    Example:
        >>> product_singular_values(torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 3.0, 4.0]]))
        tensor([10.], dtype=torch.float64)
    """
    if a.ndim != 2 or b.ndim != 2 or len(a) != len(b):
        shapes = f"{tuple(a.shape)} and {tuple(b.shape)}"
        raise ValueError(f"got shapes {shapes}; expected two matrices with as many rows")
    first, second = (torch.linalg.qr(one.double().mT).R for one in (a, b))
    if not (first.isfinite().all() and second.isfinite().all()):
        raise ValueError("a matrix holds NaN or infinity; expected finite entries")
    return torch.linalg.svdvals(first @ second.mT)
