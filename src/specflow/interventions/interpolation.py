"""The straight line between two networks, and the loss barrier along it."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor


def interpolate(
    start: Mapping[str, Tensor], end: Mapping[str, Tensor], alpha: float
) -> dict[str, Tensor]:
    """Return W(alpha) = (1 - alpha) W_start + alpha W_end of two state dicts.

    Exactly the start at 0 and the end at 1. Integer buffers (counts of batches) are taken whole
    from the nearer end, from the start at 0.5.

    Args:
        start: State dict at alpha = 0; not modified.
        end: State dict at alpha = 1, of the same names, shapes and dtypes; not modified.
        alpha: Position on the line, in [0, 1].

    Returns:
        New tensors, in the order of `start`.

    Raises:
        ValueError: If alpha is not in [0, 1], or the state dicts do not match.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha is {alpha}; expected a number in [0, 1]")
    if start.keys() != end.keys():
        different = sorted(start.keys() ^ end.keys())
        raise ValueError(f"only one of the two networks has {different}; expected the same names")
    return {name: _between(name, start[name], end[name], alpha) for name in start}


def loss_barrier(alphas: Sequence[float], losses: Sequence[float]) -> float:
    """Return the barrier: max over interior a of L(a) - ((1 - a) L(0) + a L(1)).

    Frankle et al. 2020 (arXiv 1912.05671), with the line between the losses of the ends as the
    reference; negative where the losses lie below that line.

    Args:
        alphas: Positions in ascending order from 0 to 1, with at least one between.
        losses: Loss (or error) at each position.

    Returns:
        The barrier in the unit of the losses.

    Raises:
        ValueError: If alphas are not as described, or losses are of another number or not finite.
    """
    ascending = all(a < b for a, b in pairwise(alphas))
    if len(alphas) < 3 or alphas[0] != 0 or alphas[-1] != 1 or not ascending:
        raise ValueError(f"alphas are {list(alphas)}; expected 3 or more, ascending from 0 to 1")
    if len(losses) != len(alphas) or not all(math.isfinite(loss) for loss in losses):
        raise ValueError(f"losses are {list(losses)}; expected {len(alphas)} finite numbers")
    return max(
        float(loss - ((1 - alpha) * losses[0] + alpha * losses[-1]))
        for alpha, loss in zip(alphas[1:-1], losses[1:-1], strict=True)
    )


def _between(name: str, start: Tensor, end: Tensor, alpha: float) -> Tensor:
    if start.shape != end.shape or start.dtype != end.dtype:
        raise ValueError(
            f"{name} is {start.dtype} {tuple(start.shape)} at the start and "
            f"{end.dtype} {tuple(end.shape)} at the end; expected the same"
        )
    if not start.is_floating_point():
        return (start if alpha <= 0.5 else end).detach().clone()
    return torch.lerp(start.detach(), end.detach(), alpha)
