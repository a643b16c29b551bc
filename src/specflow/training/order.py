"""Data order and chance: functions of seed and epoch or step, so that a run resumes anywhere."""

import numpy as np
import torch
from torch import Tensor

# Order seeds of branches lie beyond those of trunks, so that no branch repeats its trunk's order.
_BRANCH_ORDERS = 2**31


def branch_order_seed(branch: int) -> int:
    """Return the order seed of a branch: the same for that branch number of every trunk."""
    return _BRANCH_ORDERS + branch


def epoch_order(order_seed: int, epoch: int, num_samples: int) -> Tensor:
    """Return the order in which an epoch visits the samples.

    Args:
        order_seed: The run's seed, or that of a branch.
        epoch: Number of the epoch, from 0.
        num_samples: Length of the training part.

    Returns:
        A permutation of shape (num_samples,), int64, on the CPU.
    """
    generator = torch.Generator().manual_seed(_derive(order_seed, 0, epoch))
    return torch.randperm(num_samples, generator=generator)


def step_seed(order_seed: int, step: int) -> int:
    """Return the seed of whatever a step draws at random (noise, dropout).

    Args:
        order_seed: The run's seed, or that of a branch.
        step: Number of the step, from 0.

    Returns:
        A seed in [0, 2^63).
    """
    return _derive(order_seed, 1, step)


def perturbation_seed(trunk_seed: int, matrix: str) -> int:
    """Return the seed of the direction in which a matrix of a trunk is perturbed.

    Args:
        trunk_seed: The trunk's seed.
        matrix: Name of the parameter.

    Returns:
        A seed in [0, 2^63), the same at all split points, scales and branches.
    """
    return _derive(trunk_seed, 2, *matrix.encode())


def _derive(seed: int, purpose: int, *numbers: int) -> int:
    entropy = np.random.SeedSequence(entropy=seed, spawn_key=(purpose, *numbers))
    return int(entropy.generate_state(1, np.uint64)[0] >> 1)
