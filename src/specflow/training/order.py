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
    entropy = np.random.SeedSequence(entropy=order_seed, spawn_key=(epoch,))
    generator = torch.Generator().manual_seed(int(entropy.generate_state(1, np.uint64)[0] >> 1))
    return torch.randperm(num_samples, generator=generator)
