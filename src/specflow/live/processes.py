"""Processes that train one network together."""

import os
from typing import TypeVar

import torch.distributed as dist

T = TypeVar("T")


def rank() -> int:
    """Return the number of this process among them; 0 of one alone."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank()
    return int(os.environ.get("RANK", "0"))  # of one that torchrun has started, and begins so soon


def as_the_first(said: T) -> T:
    """Return what the first of them says; all take part."""
    both = [said]
    dist.broadcast_object_list(both, src=0)
    return both[0]
