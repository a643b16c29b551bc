"""Trajectories of made-up steps."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from specflow.checkpoints.trajectory import Arrays, Checkpoint, Origin, write_trajectory

ORIGIN = Origin(
    config='{"a": 1}',
    seed=3,
    order_seed=4,
    first_step=0,
    scale=0.5,
    torch="2",
    device="cpu",
    fingerprint="f",
    transposed='["w"]',
)


def checkpoint(
    step: int, weights: Arrays, optimizer: Mapping[str, Arrays] | None = None
) -> Checkpoint:
    """A checkpoint whose weights are these times the step."""
    return Checkpoint(
        step=step,
        weights={name: np.asarray(weight * step) for name, weight in weights.items()},
        buffers={"mean": np.full(2, step, dtype=np.float32), "count": np.array(step)},
        metrics={"train/loss": step / 2, "validation/loss": float(step)},
        optimizer=optimizer,
    )


def write(path: Path, steps: Sequence[int], weights: Arrays, *, origin: Origin = ORIGIN) -> Path:
    """Write a trajectory of such checkpoints, five steps an epoch."""
    rows = [checkpoint(step, weights) for step in steps]
    write_trajectory(path, origin, list(steps), 5, rows)
    return path
