"""Perturbation: a weight moved in a random direction, and back to its norm."""

import torch
from torch import Tensor


def perturb(weight: Tensor, direction: Tensor, scale: float) -> Tensor:
    """Return W + scale ||W|| G / ||G||, rescaled to the norm of W (Yunis et al. 2024).

    Frobenius norms, computed in float64. A scale of 0 returns W exactly, and so does a W of zeros.

    Args:
        weight: W, of any shape, finite; not modified.
        direction: G, of the same shape, not all zero; for example `gaussian_direction`.
        scale: Length of the step relative to the norm of W, dimensionless.

    Returns:
        New tensor with the shape, dtype and device of the weight.

    Raises:
        ValueError: If scale is negative or not finite, the shapes differ, the direction is not
            finite or all zero, the weight is not finite, or the step leads to zero exactly.
    """
    if not 0 <= scale < float("inf"):
        raise ValueError(f"scale is {scale}; expected a finite number from 0")
    if weight.shape != direction.shape:
        raise ValueError(
            f"direction is of shape {tuple(direction.shape)}; expected {tuple(weight.shape)}"
        )
    W, G = weight.detach().double(), direction.detach().to(weight.device, torch.float64)
    norm, length = W.norm(), G.norm()
    if not norm.isfinite():
        raise ValueError("the weight is not finite; expected finite entries")
    if not (length.isfinite() and length > 0):
        raise ValueError(f"direction has the norm {float(length)}; expected a finite one above 0")
    if scale == 0 or norm == 0:
        return weight.detach().clone()
    moved = W + scale * norm / length * G
    if moved.norm() == 0:
        raise ValueError(f"a step of scale {scale} leads to zero; expected another direction")
    return (moved * (norm / moved.norm())).to(weight.dtype)


def gaussian_direction(shape: torch.Size, seed: int) -> Tensor:
    """Return G with independent standard normal entries, float64 on the CPU.

    A seed, in [0, 2^63), gives one direction on every device.
    """
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)
