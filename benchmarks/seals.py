"""What the seals of files cost a stage that reads much and computes little: spectra.

The stage's work, its imports included, runs in a process of its own on a made-up trajectory of a
VGG-16 of half width: as it is, and without seals being checked or written, by turns.

    python benchmarks/seals.py [--turns N] [--steps N]
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from specflow import hdf5, scratch
from specflow.checkpoints.kept_steps import TrajectoryCheckpoints
from specflow.checkpoints.trajectory import Checkpoint, Origin, write_trajectory
from specflow.datasets.shapes import ImageShape
from specflow.measure.settings import SpectraParams
from specflow.measure.spectra import measure_spectra
from specflow.models.vgg import VggParams
from specflow.scratch import Scratch
from specflow.training.weights import export_weights

WITHOUT = "without"


def main() -> None:
    """Measure both, and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--measure", nargs=2, metavar=("TRAJECTORY", "WITHOUT"))
    chosen = parser.parse_args()
    if chosen.measure:
        source, mode = chosen.measure
        with _without_seals() if mode == WITHOUT else nullcontext():
            _measure(Path(source))
        return
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "trajectory.h5")
        _write(source, chosen.steps)
        _seconds(source, "")  # the files are in memory then, for both
        turns = [(_seconds(source, ""), _seconds(source, WITHOUT)) for _ in range(chosen.turns)]
        size = source.stat().st_size / 2**20
    sealed, bare = map(statistics.median, zip(*turns, strict=True))
    ratio = statistics.median(a / b for a, b in turns)
    print(
        f"spectra of {chosen.steps} checkpoints of VGG-16 (width 32), {size:.0f} MiB: "
        f"{sealed:.2f} s with seals, {bare:.2f} s without: ratio {ratio:.3f}"
    )


def _seconds(source: Path, mode: str) -> float:
    began = time.perf_counter()
    command = [sys.executable, __file__, "--measure", str(source), mode]
    subprocess.run(command, check=True)
    return time.perf_counter() - began


def _write(source: Path, length: int) -> None:
    torch.manual_seed(0)
    model = VggParams(kind="vgg", depth=16, width=32).build(_SHAPE)
    weights = export_weights(model)
    steps = [Checkpoint(step, weights, {}, {"train/loss": 0.0}, None) for step in range(length)]
    write_trajectory(source, Origin("", 0, 0, 0, 0.0, "", "cpu", ""), list(range(length)), 1, steps)


def _measure(source: Path) -> None:
    wiring = VggParams(kind="vgg", depth=16, width=32).wiring(_SHAPE)
    params = SpectraParams(diagonal_length=100, score_length=10, mass=0.9)
    with tempfile.TemporaryDirectory() as folder:
        work, target = Scratch(Path(folder, "scratch")), Path(folder, "spectra.h5")
        checkpoints = TrajectoryCheckpoints(source)
        with work.locked():
            measure_spectra(checkpoints, wiring, params, target, work, lambda done: None, workers=2)


@contextmanager
def _without_seals() -> Iterator[None]:
    names: dict[str, Any] = {"seal": lambda file: None, "fault_of": lambda path: None}
    parts: dict[str, Any] = names | {"first_fault_of": lambda path: None}
    with mock.patch.multiple(hdf5, **names), mock.patch.multiple(scratch, **parts):
        yield


_SHAPE = ImageShape(channels=3, size=32, num_classes=10)


if __name__ == "__main__":
    main()
