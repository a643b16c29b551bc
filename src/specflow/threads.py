"""How many threads torch and BLAS compute with, one setting for the whole process."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch, and BLAS below numpy and scipy, use one thread, and as before at the end.

    For many small products in a row: where other processes share the cores, waking and awaiting
    a second thread for each takes many times as long as the product itself. And the last bits of
    a result then do not depend on the number of cores.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1, user_api="blas"):
            yield
    finally:
        torch.set_num_threads(before)
