"""Trajectories of made-up steps."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from specflow.checkpoints.trajectory import Checkpoint, Origin, write_trajectory

ORIGIN = Origin("{}", 0, 0, 0, 0.0, "2", "cpu", "f")


def write(
    path: Path, steps: Sequence[int], weights: Mapping[str, np.ndarray], config: str = "{}"
) -> Path:
    """Write a trajectory whose weights are these times the step."""
    rows = [
        Checkpoint(
            step=step,
            weights={name: np.asarray(weight * step) for name, weight in weights.items()},
            buffers={"mean": np.zeros(2, dtype=np.float32)},
            metrics={"train/loss": 0.0},
            optimizer=None,
        )
        for step in steps
    ]
    origin = replace(ORIGIN, config=config)
    write_trajectory(path, origin, list(steps), 5, rows)
    return path
