"""How much longer a training takes that is watched: pairs of runs, with and without, in turn.

The small language model of `examples/language_model.py` is trained with one thread, where a core is
left for the process beside it, and with a thread for each core. What is timed is the loop of
steps; starting the watch and waiting for its last steps come beside it, once a training.
"""

import argparse
import os
import random
import sys
import tempfile
import time
import warnings
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import torch

import specflow

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
from language_model import training


def main() -> None:
    """Print the ratio of the times of each pair: median, and an interval of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--every", type=int, default=50)
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")  # of steps that are dropped: they are counted here
    for threads in dict.fromkeys((1, os.cpu_count() or 1)):
        torch.set_num_threads(threads)
        _seconds(chosen.steps, None)  # warms up
        ratios, rows, waited = list[float](), 0, list[float]()
        for turn in range(chosen.pairs):
            both = {}
            for watched in (turn % 2 == 0, turn % 2 == 1):  # each is first as often
                every = chosen.every if watched else None
                both[watched], measured, share = _seconds(chosen.steps, every)
                rows += measured
                waited += [share] if watched else []
            ratios.append(both[True] / both[False])
        low, high = _interval(ratios)
        print(
            f"{threads} of {os.cpu_count()} cores: {100 * (median(ratios) - 1):+.2f}% "
            f"({100 * (low - 1):+.2f}% to {100 * (high - 1):+.2f}%, 95%) over {len(ratios)} pairs "
            f"of {both[False]:.1f} s, {rows / chosen.pairs:.1f} rows each; "
            f"waited for copies: {100 * median(waited):.3f}%",
            flush=True,
        )


def _seconds(steps: int, every: int | None) -> tuple[float, int, float]:
    """Return the seconds of a training, how many rows it has, and the share that copies took."""
    model, taken = training(steps)
    told: list[int] = []
    with ExitStack() as stack:
        watch = None
        if every is not None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            sink = lambda step, numbers: told.append(step)  # noqa: E731
            watch = specflow.watch(model, folder / "run.h5", every=every, sinks=[sink])
            stack.enter_context(watch)
        began = time.perf_counter()
        for step, loss in taken:
            if watch is not None:
                watch.step(step, loss=loss)
        took = time.perf_counter() - began
        waited = watch.spent if watch is not None else 0.0
    return took, len(told), waited


def _interval(ratios: list[float]) -> tuple[float, float]:
    """Return the 95% bootstrap interval of the median."""
    chance = random.Random(0)
    medians = sorted(median(chance.choices(ratios, k=len(ratios))) for _ in range(2000))
    return medians[50], medians[1949]


if __name__ == "__main__":
    main()
