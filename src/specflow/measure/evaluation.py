"""What measurements of runs share: the task, histories, networks that were changed by hand."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
import torch
from torch import Tensor

from specflow import paths
from specflow.checkpoints.trajectory import Trajectory, open_trajectory
from specflow.device import choose_device, make_deterministic
from specflow.hdf5 import write
from specflow.interventions.svd_pruning import SpectrumPruner
from specflow.measure.settings import PruningParams
from specflow.models.network import Network
from specflow.problems.batch_norm import reestimate_on_training_data
from specflow.problems.settings import ProblemSettings
from specflow.problems.task import Task, load_task
from specflow.scratch import Scratch
from specflow.spectra import is_defined, normalized_effective_rank
from specflow.spectra.decomposition import SmallerSide
from specflow.wiring import Wiring

# A way of keeping a part of every spectrum: ("full", 1.0), ("top", 0.5), ("bottom", 0.5).
Variant = tuple[Literal["full", "top", "bottom"], float]

FULL: Variant = ("full", 1.0)


def pruning_variants(settings: PruningParams) -> list[Variant]:
    """Return every way of pruning, keep-top and keep-bottom of every fraction."""
    return [
        variant
        for fraction in settings.keep_fractions
        for variant in (("top", fraction), ("bottom", fraction))
    ]


def variant_group(variant: Variant) -> str:
    """Return the name of a variant's HDF5 group, for example "top/0.5"."""
    return f"{variant[0]}/{variant[1]}"


def prepared_task(settings: ProblemSettings) -> Task:
    """Return the task on its prepared data, on the device that computes: the same bytes each time.

    Args:
        settings: The problem and its network.

    Raises:
        SpecflowError: If the data are missing or broken, or there is no such device.
    """
    device = choose_device()
    make_deterministic(device)
    return load_task(settings, paths.dataset(settings.dataset_name), device)


def write_history(file: h5py.File, trajectory: Trajectory, group: str) -> None:
    """Write /step (T,) and /epoch (T,) of the kept steps, and a run's metrics below a group."""
    write(file, "step", np.array(trajectory.steps, dtype=np.int64))
    write(file, "epoch", np.array(trajectory.epochs))
    for name, values in sorted(trajectory.metrics().items()):
        write(file, f"{group}/{name}", values)


def to_tensors(arrays: Mapping[str, np.ndarray], device: torch.device) -> dict[str, Tensor]:
    """Return arrays as tensors on a device."""
    return {name: torch.from_numpy(np.asarray(a)).to(device) for name, a in arrays.items()}


def final_weights(path: Path, task: Task) -> dict[str, Tensor]:
    """Return parameters and buffers by name of the last kept step, on the device of the data.

    Args:
        path: The trajectory.
        task: The learning problem.

    Raises:
        SpecflowError: If the trajectory is broken, or was trained on other data than the task's.
    """
    with open_trajectory(path) as trajectory:
        trajectory.check_data(task.fingerprint)
        return to_tensors({**trajectory.weights(-1), **trajectory.buffers(-1)}, task.device)


class Pruned:
    """All prunings of one network; each matrix is decomposed once."""

    def __init__(self, weights: Mapping[str, Tensor], wiring: Wiring) -> None:
        """Decompose every matrix but the output layer's.

        Args:
            weights: Parameters and buffers by name; not modified.
            wiring: The network's wiring; each matrix is a whole parameter and has its name.
        """
        self._weights = weights
        self._pruners = {
            matrix.name: SpectrumPruner(weights[matrix.name], matrix.view.transposed)
            for matrix in wiring.inner
        }

    @property
    def sides(self) -> dict[str, SmallerSide]:
        """The decomposition of every matrix but the output layer's, by name."""
        return {name: pruner.side for name, pruner in self._pruners.items()}

    def weights(self, variant: Variant) -> dict[str, Tensor]:
        """Return the weights with a part of every spectrum kept; "full" leaves them as they are."""
        keep, fraction = variant
        if keep == "full":
            return dict(self._weights)
        pruned = {name: pruner.keep(fraction, keep) for name, pruner in self._pruners.items()}
        return {**self._weights, **pruned}


def evaluate_changed(
    task: Task, model: Network, weights: Mapping[str, Tensor], settings: PruningParams
) -> dict[str, float]:
    """Return the metrics by `split/metric` of weights that were loaded as `load_changed` does."""
    load_changed(task, model, weights, settings)
    return task.evaluate_all(model)


def load_changed(
    task: Task, model: Network, weights: Mapping[str, Tensor], settings: PruningParams
) -> None:
    """Give a network weights that training did not reach by itself.

    BatchNorm statistics are re-estimated on the first `batch_norm_samples` training samples.

    Args:
        task: The learning problem.
        model: A network of the run's architecture; its weights are replaced.
        weights: Parameters and buffers by name.
        settings: Number of samples for BatchNorm.
    """
    model.load_state_dict(dict(weights))
    reestimate_on_training_data(task, model, settings.batch_norm_samples)


def rank_of(S: Tensor) -> float:
    """Return the normalized effective rank of a spectrum; NaN if it is not defined."""
    return float(normalized_effective_rank(S)) if is_defined(S) else np.nan


def remembered(
    scratch: Scratch, name: str, compute: Callable[[], Mapping[str, Any]]
) -> dict[str, Any]:
    """Return what an earlier process has computed under this name, or compute and keep it.

    Args:
        scratch: Where results are kept until all of the work is done.
        name: Name of this one.
        compute: Returns numbers by name, nested in mappings.

    Raises:
        SpecflowError: If the disk is full.
    """
    if not scratch.has(name):
        scratch.save(name, compute())
    return scratch.load(name)
