"""Many matrices side by side: a pool of threads with one BLAS thread each.

torch releases the interpreter lock in its kernels, and LAPACK gains little from threads of its
own on matrices of this size; so two threads with a matrix each beat one matrix with two threads.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch
from torch import Tensor

from specflow.spectra.decomposition import Decomposition, decompose
from specflow.threads import one_thread

K = TypeVar("K", bound=Hashable)
R = TypeVar("R")

_TOGETHER = 2**21  # entries times smaller side: one of 128 x 128, or 64 of 32 x 32
_MOST_TURNS = 16  # each worker's, of which small weights may be together


def map_matrices(
    function: Callable[[K, Tensor], R], weights: Mapping[K, Tensor], workers: int
) -> dict[K, R]:
    """Return {key: function(key, weight)}, computed by a pool of `workers` threads.

    Every call runs with one BLAS thread, whatever the number of workers, so that results do not
    depend on it to the last bit. Not to be called from two threads at once: the number of threads
    of torch, restored at the end, is one setting for the whole process.

    The order is that of `weights`; those that take longest are started first, small ones together.

    Raises:
        ValueError: If workers is less than 1, or `function` raised ValueError; names the key, of
            several that of the weight that takes longest.
        ArithmeticError: If a decomposition did not converge; names the key.
    """
    if workers < 1:
        raise ValueError(f"workers is {workers}; expected 1 or more")

    def of(keys: Sequence[K]) -> dict[K, R]:
        return {key: _named(key, function, weights[key]) for key in keys}

    with one_thread():
        pool = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,))
        try:
            futures = [pool.submit(of, keys) for keys in _turns(weights, workers)]
            found = {key: one for future in futures for key, one in future.result().items()}
            return {key: found[key] for key in weights}
        finally:
            pool.shutdown(cancel_futures=True)


def decompose_all(
    weights: Mapping[K, Tensor], count: int | None, workers: int
) -> dict[K, Decomposition]:
    """Return `decompose(weight, count)` of every weight, computed by a pool of `workers` threads.

    Example:
        >>> decompose_all({"a": torch.eye(2), "b": torch.ones(1, 4)}, None, workers=2)["b"].S
        tensor([2.], dtype=torch.float64)
    """
    return map_matrices(lambda _, weight: decompose(weight, count), weights, workers)


def _work(weight: Tensor) -> int:
    """Return a measure of the time that a decomposition takes: entries times the smaller side."""
    rows = len(weight) if weight.ndim else 1
    return weight.numel() * min(rows, weight.numel() // max(rows, 1))


def _turns(weights: Mapping[K, Tensor], workers: int) -> list[list[K]]:
    """Return keys, longest first, those of one turn of a thread together.

    A turn of its own takes longer than the decomposition of a small matrix. Where there are few,
    each has one, as how long it takes is not known.
    """
    turns: list[list[K]] = []
    held, most = 0, len(weights) // (_MOST_TURNS * workers)
    work = {key: _work(weight) for key, weight in weights.items()}
    for key in sorted(work, key=lambda key: -work[key]):
        held += work[key]
        if not turns or held > _TOGETHER or len(turns[-1]) >= most:
            turns.append([])
            held = work[key]
        turns[-1].append(key)
    return turns


def _named(key: K, function: Callable[[K, Tensor], R], weight: Tensor) -> R:
    try:
        return function(key, weight)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from error
    except torch.linalg.LinAlgError as error:
        raise ArithmeticError(f"{key}: {error}") from error
