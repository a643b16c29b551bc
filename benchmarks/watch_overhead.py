"""How much longer steps of a training take that is watched: blocks of steps, with and without.

The small language model of `examples/language_model.py` is trained on the GPU if there is one, else
with one thread, where a core is left for the process beside it, and with a thread for each core.
Blocks with a row, measured while they last, alternate with blocks without; a pair of neighbours is
a block of each. Starting the process (some seconds of a core, once a training) comes before them
and does not count.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import torch

import specflow

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
from language_model import DEVICE, WIDTH, training

_START = 8.0  # seconds that the process has to begin


def main() -> None:
    """Print the ratio of the times of each pair: median, and an interval of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--steps", type=int, default=200, help="of a block")
    parser.add_argument("--width", type=int, default=WIDTH)
    chosen = parser.parse_args()
    cores = os.cpu_count() or 1
    for threads in dict.fromkeys((1, cores)) if DEVICE == "cpu" else [cores]:
        torch.set_num_threads(threads)
        where = f"{threads} of {cores} cores" if DEVICE == "cpu" else torch.cuda.get_device_name()
        ratios, seconds, rows, waited = _ratios(chosen.pairs, chosen.steps, chosen.width)
        low, high = _interval(ratios)
        print(
            f"{where}, width {chosen.width}: {100 * (median(ratios) - 1):+.2f}% "
            f"({100 * (low - 1):+.2f}% to {100 * (high - 1):+.2f}%, 95%) over {len(ratios)} pairs "
            f"of blocks of {seconds:.2f} s, {rows} rows; waited for copies: {100 * waited:.3f}%",
            flush=True,
        )


def _ratios(pairs: int, steps: int, width: int) -> tuple[list[float], float, int, float]:
    """Return the ratio of each pair, the seconds of a block, the rows, and the share of waiting."""
    watched = [turn % 4 in (0, 3) for turn in range(2 * pairs)]  # each is first as often
    due = [(1 + turn) * steps for turn, is_watched in enumerate(watched) if is_watched]
    model, taken = training((1 + 2 * pairs) * steps, width)
    told, took = list[int](), list[float]()
    with (
        tempfile.TemporaryDirectory() as folder,
        specflow.watch(
            model,
            Path(folder) / "run.h5",
            every=[0, *due],
            sinks=[lambda step, numbers: told.append(step)],
        ) as watch,
    ):
        watch.step(0)
        for step, _ in taken:  # warms up
            if step == steps - 1:
                break
        time.sleep(_START)
        for is_watched in watched:
            began = time.perf_counter()
            for _ in range(steps):
                step, loss = next(taken)
                if is_watched:
                    watch.step(step, loss=loss)
            loss.item()  # waits for the device
            took.append(time.perf_counter() - began)
        waited = watch.spent
    both = zip(took[::2], took[1::2], watched[::2], strict=True)
    ratios = [a / b if is_first else b / a for a, b, is_first in both]
    return ratios, median(took), len(told), waited


def _interval(ratios: list[float]) -> tuple[float, float]:
    """Return the 95% bootstrap interval of the median."""
    chance = random.Random(0)
    medians = sorted(median(chance.choices(ratios, k=len(ratios))) for _ in range(2000))
    return medians[50], medians[1949]


if __name__ == "__main__":
    main()
