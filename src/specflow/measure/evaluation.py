"""What measurements of runs share: the task, histories, networks that were changed by hand."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import h5py
import numpy as np
import torch
from torch import Tensor

from specflow import paths
from specflow.checkpoints.trajectory import Trajectory, open_trajectory
from specflow.device import choose_device, keep_freed_memory, make_deterministic
from specflow.hdf5 import write
from specflow.interventions.svd_pruning import SpectrumPruner
from specflow.measure.settings import PruningParams
from specflow.problems.batch_norm import reestimate_on_training_data
from specflow.problems.settings import ProblemSettings
from specflow.problems.task import load_task
from specflow.spectra.decomposition import SmallerSide
from specflow.wiring import Wiring


class Variant(NamedTuple):
    """A way of keeping a part of every spectrum, such as the top 0.5 of it, or all of it."""

    keep: Literal["full", "reestimated", "top", "bottom"]
    fraction: float

    @property
    def group(self) -> str:
        """Name of its HDF5 group, for example "top/0.5"."""
        return f"{self.keep}/{self.fraction}"


FULL = Variant("full", 1.0)
# The full model, where its own history is not comparable with pruned ones.
REESTIMATED = Variant("reestimated", 1.0)


def pruning_variants(settings: PruningParams) -> list[Variant]:
    """Return every way of pruning, keep-top and keep-bottom of every fraction."""
    return [
        variant
        for fraction in settings.keep_fractions
        for variant in (Variant("top", fraction), Variant("bottom", fraction))
    ]


class Pruned:
    """All prunings of one network; each matrix is decomposed once."""

    def __init__(self, weights: Mapping[str, Tensor], wiring: Wiring) -> None:
        """Decompose every matrix but the output layer's; each is a whole parameter of its name."""
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
        """Return the weights with a part of every spectrum kept, or as they are if all of it is."""
        keep, fraction = variant
        if keep == "full" or keep == "reestimated":
            return dict(self._weights)
        pruned = {name: pruner.keep(fraction, keep) for name, pruner in self._pruners.items()}
        return {**self._weights, **pruned}


class Evaluation:
    """A task on its prepared data, and a model that is given weights training did not reach."""

    def __init__(self, problem: ProblemSettings, pruning: PruningParams) -> None:
        """Load the data, for results of the same bytes each time.

        Raises:
            SpecflowError: If the data are missing or broken, or there is no such device.
        """
        device = choose_device()
        make_deterministic(device)
        keep_freed_memory()
        self.task = load_task(problem, paths.dataset(problem.dataset_name), device)
        self.model = self.task.build_model()
        self._num_samples = pruning.batch_norm_samples

    def weights(self, trajectory: Trajectory, index: int) -> dict[str, Tensor]:
        """Return parameters and buffers of a kept step by name, on the device of the data."""
        arrays = {**trajectory.weights(index), **trajectory.buffers(index)}
        return to_tensors(arrays, self.task.device)

    def final_weights(self, path: Path) -> dict[str, Tensor]:
        """Return those of the last kept step of a trajectory, refused if it had other data."""
        with open_trajectory(path) as trajectory:
            trajectory.check_data(self.task.fingerprint)
            return self.weights(trajectory, -1)

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Give the network weights, and BatchNorm statistics that fit the first samples."""
        self.model.load_state_dict(dict(weights))
        reestimate_on_training_data(self.task, self.model, self._num_samples)

    def metrics(self, weights: Mapping[str, Tensor]) -> dict[str, float]:
        """Return the metrics by `split/metric` of weights that were loaded so."""
        self.load(weights)
        return self.task.evaluate_all(self.model)

    def metrics_of(
        self, pruned: Pruned, variants: Iterable[Variant]
    ) -> dict[str, dict[str, float]]:
        """Return the metrics of variants of a network, by the group of each."""
        return {variant.group: self.metrics(pruned.weights(variant)) for variant in variants}


def write_history(
    file: h5py.File, trajectory: Trajectory, group: str, places: slice | list[int] = slice(None)
) -> None:
    """Write /step (T,) and /epoch (T,) of the kept steps, and a run's metrics below a group.

    With `places`, only those of some of the kept steps.
    """
    write(file, "step", np.array(trajectory.steps, dtype=np.int64)[places])
    write(file, "epoch", np.array(trajectory.epochs)[places])
    for name, values in sorted(trajectory.metrics().items()):
        write(file, f"{group}/{name}", values[places])


def to_tensors(arrays: Mapping[str, np.ndarray], device: torch.device) -> dict[str, Tensor]:
    """Return arrays as tensors on a device."""
    return {name: torch.from_numpy(np.asarray(a)).to(device) for name, a in arrays.items()}
