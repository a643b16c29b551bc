"""How many threads torch computes with, one setting for the whole process."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread, and as many as before at the end.

    For many small products in a row: where other processes share the cores, waking and awaiting
    a second thread for each takes many times as long as the product itself.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
