"""What each family that is measured on demand costs a matrix, beside its decomposition.

One thread, as each of the pool's; the median of several turns, of noise with a few strong
directions. The families of `SpectraParams.more` are beside `decompose` with 100 singular vectors.
"""

import argparse
import math
import statistics
import time
from collections.abc import Callable
from itertools import count

import torch
from torch import Tensor

from specflow.spectra import (
    QUANTITIES,
    change_singular_values,
    decompose,
    permuted_singular_values,
    product_singular_values,
    singular_values,
)

SHAPES = ((256, 256), (1024, 1024), (1024, 4096))
HEAD = 64  # rows of a head


def main() -> None:
    """Print milliseconds of each family, for each shape."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=5)
    turns = parser.parse_args().turns
    torch.set_num_threads(1)
    for rows, columns in SHAPES:
        parts = _parts(*(_matrix(rows, columns, seed) for seed in (0, 1)))
        times = {name: _median(part, turns) for name, part in parts.items()}
        shown = ", ".join(f"{name} {1000 * seconds:.1f} ms" for name, seconds in times.items())
        print(f"{rows} x {columns}: {shown}")


def _parts(now: Tensor, then: Tensor) -> dict[str, Callable[[], object]]:
    rows, columns = now.shape
    S = singular_values(now)
    shape = {"rows": rows, "columns": columns}

    anew = count(1)

    def family(name: str) -> Callable[[], object]:
        own = [one for one in QUANTITIES.values() if one.family == name]

        def all_of_it() -> object:
            spectrum = S * next(anew)  # fits are remembered, so it is another one each time
            return [one.function(spectrum, **shape) for one in own]

        return all_of_it

    def heads() -> object:
        size = min(HEAD, rows)
        pairs = zip(now.split(size), then.split(size), strict=True)
        return [product_singular_values(query, key) for query, key in pairs]

    return {
        "decomposition": lambda: decompose(now, 100),
        "random_matrix": family("random_matrix"),
        "permuted": lambda: permuted_singular_values(now, seed=0),
        "power_law": family("power_law"),
        "changes, one of two": lambda: change_singular_values(now, then),
        "heads, all of a pair": heads,
    }


def _matrix(rows: int, columns: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(rows, columns, generator=generator) / math.sqrt(columns)
    left, right = (torch.randn(n, 16, generator=generator) / math.sqrt(n) for n in (rows, columns))
    return noise + left * torch.linspace(3, 1, 16) @ right.mT


def _median(part: Callable[[], object], turns: int) -> float:
    seconds = []
    for _ in range(turns):
        started = time.perf_counter()
        part()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
