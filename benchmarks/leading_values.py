"""How much sooner the ten leading values and vectors are there than whole spectra, by size.

Two kinds of matrices: noise with twelve directions that stand out, as weights have them after
training, and noise alone, as at the start. Each takes small steps, and is decomposed both ways at
each of them; what leads begins with that of the step before, as in a watched training.
"""

import argparse
import time
from statistics import median

import torch
from torch import Tensor

from specflow.spectra import decompose
from specflow.spectra.leading import leading_vectors
from specflow.threads import one_thread

_COUNT = 10
_STEP = 0.01  # of the noise that there is


def main() -> None:
    """Print the median of the ratios of each size and kind, and the range of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512, 1024, 2048])
    parser.add_argument("--steps", type=int, default=7)
    chosen = parser.parse_args()
    torch.manual_seed(0)
    for size in chosen.sizes:
        for kind, strong in (("trained", 12), ("noise", 0)):
            with one_thread():
                ratios, num_whole = _ratios(_matrix(size, strong), chosen.steps)
            print(
                f"{size} x {size}, {kind}: whole spectra take {median(ratios):.2f} times as long "
                f"({min(ratios):.2f} to {max(ratios):.2f}; decomposed whole after all: {num_whole} "
                f"of {len(ratios)})",
                flush=True,
            )


def _matrix(size: int, strong: int) -> Tensor:
    left, right = (torch.linalg.qr(torch.randn(size, strong)).Q for _ in range(2))
    noise = torch.randn(size, size) / size**0.5  # whose singular values end at 2
    return noise + (left * torch.linspace(8, 3, strong)) @ right.mT


def _ratios(weight: Tensor, steps: int) -> tuple[list[float], int]:
    """Return the ratio of the times at each step, and how often both were the same.

    Raises:
        SystemExit: If their singular values are not the same.
    """
    ratios, num_whole = [], 0
    start = leading_vectors(weight, _COUNT).start
    for _ in range(steps):
        weight = weight + _STEP * torch.randn_like(weight) / len(weight) ** 0.5
        began = time.perf_counter()
        whole = decompose(weight, _COUNT)
        middle = time.perf_counter()
        found = leading_vectors(weight, _COUNT, start)
        ratios.append((middle - began) / (time.perf_counter() - middle))
        if (found.S - whole.S[:_COUNT]).abs().max() > 1e-9 * whole.S[0]:
            raise SystemExit(f"singular values differ: {found.S} and {whole.S[:_COUNT]}")
        start, num_whole = found.start, num_whole + found.is_whole
    return ratios, num_whole


if __name__ == "__main__":
    main()
