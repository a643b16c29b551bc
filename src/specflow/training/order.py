"""Data order: a function of (order seed, epoch) alone, so that any step can be resumed."""

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
    generator = torch.Generator().manual_seed(_seed(order_seed, epoch))
    return torch.randperm(num_samples, generator=generator)


def step_seed(order_seed: int, step: int) -> int:
    """Return the seed of whatever a task draws in a step, the same on every resumption.

    Args:
        order_seed: The run's seed, or that of a branch.
        step: Number of the step, from 0.

    Returns:
        Seed for torch's generators, in [0, 2^63).
    """
    return _seed(order_seed, step, 1)


def _seed(order_seed: int, *spawn_key: int) -> int:
    entropy = np.random.SeedSequence(entropy=order_seed, spawn_key=spawn_key)
    return int(entropy.generate_state(1, np.uint64)[0] >> 1)
