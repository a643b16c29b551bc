"""Runs that are trained in tests, and what they leave."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from specflow import paths
from specflow.checkpoints.trajectory import open_trajectory
from specflow.datasets.modular_addition import ModularAdditionParams
from specflow.problems.task import Task, load_task
from specflow.training.optimizers import SgdParams
from specflow.training.runs import TrainingRun, train_runs
from specflow.training.settings import RunSettings

CPU = torch.device("cpu")
SGD = SgdParams(kind="sgd", learning_rate=0.1, momentum=0.9, weight_decay=0.1)


def run_of(settings: RunSettings, name: str = "run", seed: int = 0, **changes) -> TrainingRun:
    path, kept = Path(f"{name}.h5"), settings.kept_steps
    return replace(TrainingRun(name, settings, seed, seed, path, kept, "code"), **changes)


def branch_of(trunk: TrainingRun, step: int, **changes) -> TrainingRun:
    start = {"kept": trunk.kept[-1:], "first_step": step, "trunk": trunk.target}
    return run_of(trunk.settings, "branch", **(start | changes))


def forget(*runs: TrainingRun) -> None:
    """Remove what runs have made, and what is kept of that."""
    for run in runs:
        run.target.unlink(missing_ok=True)
    for kept in paths.scratch_root().glob("*.result"):
        kept.unlink()


def train(*runs: TrainingRun) -> list[bytes]:
    """Train runs of which nothing was made before; return the bytes of their trajectories."""
    forget(*runs)
    train_runs(list(runs), "train")
    return [run.target.read_bytes() for run in runs]


def trained(settings: RunSettings, name: str = "trunk") -> TrainingRun:
    run = run_of(settings, name)
    train(run)
    return run


def task_of(settings: RunSettings) -> Task:
    return load_task(settings, paths.dataset(settings.dataset_name), CPU)


def weights_of(run: TrainingRun, index: int = -1) -> dict[str, np.ndarray]:
    with open_trajectory(run.target) as trajectory:
        return trajectory.weights(index)


def same(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> bool:
    return all(np.array_equal(first[name], second[name]) for name in first)


def prepare_other_data() -> None:
    """Put modular addition with another split where `addition_run` has its data."""
    section = ModularAdditionParams(kind="modular_addition", modulus=7, train_fraction=0.6, seed=5)
    section.prepare(paths.dataset("addition"))
