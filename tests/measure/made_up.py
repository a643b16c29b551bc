"""Trajectories that nobody trained: random weights that move, with the metrics that they have."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from specflow import paths
from specflow.checkpoints.trajectory import Checkpoint, Origin, open_trajectory, write_trajectory
from specflow.models.network import Network
from specflow.problems.task import Task, load_task
from specflow.scratch import Scratch, Work
from specflow.training.settings import RunSettings
from specflow.training.weights import export_buffers, export_weights


class OwnScratch(Scratch):
    """A folder that jobs of any settings share, one after the other: each makes its result."""

    def put_back(self, target: Path) -> bool:
        return False


SCRATCH = OwnScratch(Path("scratch/work"))


class OwnWork(Work):
    """Work of any settings, all in that folder."""

    def scratch(self) -> Scratch:
        return SCRATCH


WORK = OwnWork("work", ())


def task_of(run: RunSettings) -> Task:
    return load_task(run, paths.dataset(run.dataset_name), torch.device("cpu"))


def write_run(
    run: RunSettings,
    path: Path,
    steps: Sequence[int],
    seed: int = 0,
    change: Callable[[int, Network], None] | None = None,
    fingerprint: str | None = None,
) -> Path:
    """A random walk of a whole network from a random start; a change comes after each step."""
    task = task_of(run)
    torch.manual_seed(seed)
    model = task.build_model()
    origin = Origin("", seed, seed, 0, 0.0, "", "cpu", fingerprint or task.fingerprint)

    def checkpoint(step: int) -> Checkpoint:
        with torch.no_grad():
            for parameter in model.parameters():
                size = parameter.square().mean().sqrt()
                parameter.add_(size / 4 * torch.randn(parameter.shape))
        if change is not None:
            change(step, model)
        weights, buffers = export_weights(model), export_buffers(model)
        return Checkpoint(step, weights, buffers, task.evaluate_all(model), None)

    write_trajectory(path, origin, list(steps), run.epoch_steps, map(checkpoint, steps))
    return path


def matrices_at(path: Path, index: int) -> dict[str, np.ndarray]:
    """The weights of a kept step that are matrices or kernels, in float64."""
    with open_trajectory(path) as trajectory:
        weights = trajectory.weights(index)
    return {name: w.astype(np.float64) for name, w in weights.items() if w.ndim > 1}


def svd(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    U, S, Vh = np.linalg.svd(weight.reshape(len(weight), -1), full_matrices=False)
    return U, S, Vh


def agreement(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The diagonal |<u_i, u'_i> <v_i, v'_i>|, from its definition."""
    (U, _, Vh), (U2, _, Vh2) = svd(a), svd(b)
    return abs((U * U2).sum(0) * (Vh * Vh2).sum(1))


def rank(weight: np.ndarray) -> float:
    """The normalized effective rank, from its definition."""
    S = svd(weight)[1]
    shares = S[S > 0] / S.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()) / len(S))


class Killed(BaseException):
    """What ends a process in the middle of its work."""


def dies_after(count: int, function: Callable) -> Callable:
    """A function that ends the process when it is called once more."""
    calls = iter(range(count))

    def dying(*arguments: object) -> object:
        if next(calls, None) is None:
            raise Killed
        return function(*arguments)

    return dying
