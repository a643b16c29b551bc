"""Peak memory of the spectra stage for 10 and for 100 checkpoints: it should not grow with them.

Each length runs in a process of its own on a made-up trajectory of a VGG-16 of half width.
"""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from specflow.checkpoints.kept_steps import TrajectoryCheckpoints
from specflow.checkpoints.trajectory import Checkpoint, Origin, write_trajectory
from specflow.datasets.shapes import ImageShape
from specflow.measure.settings import SpectraParams
from specflow.measure.spectra import measure_spectra
from specflow.models.vgg import VggParams
from specflow.scratch import Scratch
from specflow.training.weights import export_weights


def main() -> None:
    """Measure both lengths and print their ratio."""
    if len(sys.argv) > 1:
        print(_peak_mebibytes(int(sys.argv[1])))
        return
    few, many = (_in_own_process(length) for length in (10, 100))
    print(
        f"spectra of VGG-16 (width 32): peak memory {few:.0f} MiB for 10 checkpoints, "
        f"{many:.0f} MiB for 100: ratio {many / few:.3f}"
    )


def _in_own_process(length: int) -> float:
    command = [sys.executable, __file__, str(length)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _peak_mebibytes(length: int) -> float:
    torch.manual_seed(0)
    shape = ImageShape(channels=3, size=32, num_classes=10)
    model = VggParams(kind="vgg", depth=16, width=32).build(shape)
    weights = export_weights(model)
    origin = Origin("", 0, 0, 0, 0.0, "", "cpu", "")
    params = SpectraParams(diagonal_length=100, score_length=10, mass=0.9)
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "trajectory.h5"), Path(folder, "spectra.h5")
        scratch = Scratch(Path(folder, "scratch"))
        checkpoints = (
            Checkpoint(step, weights, {}, {"train/loss": 0.0}, None) for step in range(length)
        )
        write_trajectory(source, origin, list(range(length)), 1, checkpoints)
        with scratch.locked():
            measure_spectra(
                TrajectoryCheckpoints(source),
                model.wiring,
                params,
                target,
                scratch,
                lambda done: None,
                workers=2,
            )
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
