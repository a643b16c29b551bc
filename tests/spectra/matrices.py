"""Matrices that are the same each time."""

import torch


def random(*shape: int, seed: int | None = None) -> torch.Tensor:
    """Return normal entries in float64; by default another shape has another seed."""
    generator = torch.Generator().manual_seed(sum(shape) if seed is None else seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def orthogonal(n: int, seed: int) -> torch.Tensor:
    return torch.linalg.qr(random(n, n, seed=seed)).Q


def close(found: torch.Tensor, expected: torch.Tensor, tolerance: float) -> None:
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=0)


def assert_identity(found: torch.Tensor, tolerance: float = 1e-9) -> None:
    close(found, torch.eye(*found.shape, dtype=torch.float64), tolerance)
