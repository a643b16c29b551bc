"""Data order and chance: functions of seed and epoch or step, so that a run resumes anywhere."""

import numpy as np
import torch
from torch import Tensor

# Seeds of runs are less than this: no branch repeats its trunk's order, no ticket its source's
# weights. torch's generator reads 32 bits of a seed.
_BEYOND_RUNS = 2**31


def branch_order_seed(branch: int) -> int:
    """Return the order seed of a branch: the same for that branch number of every trunk."""
    return _BEYOND_RUNS + branch


def new_weights_seed(seed: int) -> int:
    """Return the seed of the new matrices of a reinitialized ticket, that of no source."""
    return _BEYOND_RUNS + seed


def epoch_order(order_seed: int, epoch: int, num_samples: int) -> Tensor:
    """Return the order in which an epoch visits the samples: (num_samples,) int64, on the CPU."""
    generator = torch.Generator().manual_seed(_derive(order_seed, 0, epoch))
    return torch.randperm(num_samples, generator=generator)


def step_seed(order_seed: int, step: int) -> int:
    """Return the seed in [0, 2^63) of whatever a step draws at random (noise, dropout)."""
    return _derive(order_seed, 1, step)


def perturbation_seed(trunk_seed: int, branch: int, matrix: str) -> int:
    """Return the seed in [0, 2^63) of the direction in which a branch moves a parameter.

    It is the same at all split points and scales.
    """
    return _derive(trunk_seed, 2, branch, *matrix.encode())


def _derive(seed: int, purpose: int, *numbers: int) -> int:
    entropy = np.random.SeedSequence(entropy=seed, spawn_key=(purpose, *numbers))
    return int(entropy.generate_state(1, np.uint64)[0] >> 1)
