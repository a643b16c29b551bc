"""Loss and error of networks whose weights were changed by hand."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from torch import Tensor

from specflow.interventions.svd_pruning import SpectrumPruner
from specflow.measure.views import to_tensors
from specflow.models import Network
from specflow.models.wiring import Wiring
from specflow.params.tasks import InterventionParams
from specflow.spectra.decomposition import Side
from specflow.tasks import Task
from specflow.tasks.batch_norm import reestimate_on_training_data
from specflow.trajectory import open_trajectory

# A way of keeping a part of every spectrum: ("full", 1.0), ("top", 0.5), ("bottom", 0.5).
Variant = tuple[Literal["full", "top", "bottom"], float]


def pruning_variants(params: InterventionParams) -> list[Variant]:
    """Return every way of pruning, keep-top and keep-bottom of every fraction."""
    return [
        variant
        for fraction in params.keep_fractions
        for variant in (("top", fraction), ("bottom", fraction))
    ]


def variant_group(variant: Variant) -> str:
    """Return the name of a variant's HDF5 group, for example "top/0.5"."""
    return f"{variant[0]}/{variant[1]}"


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
            wiring: The network's wiring.
        """
        self._weights = weights
        self._pruners = {
            matrix.view.parameter: SpectrumPruner(
                weights[matrix.view.parameter], matrix.view.transposed
            )
            for matrix in wiring.matrices
            if matrix.view.parameter != wiring.last
        }

    @property
    def sides(self) -> dict[str, Side]:
        """The decomposition of every matrix but the output layer's, by parameter name."""
        return {name: pruner.side for name, pruner in self._pruners.items()}

    def weights(self, variant: Variant) -> dict[str, Tensor]:
        """Return the weights with a part of every spectrum kept; "full" leaves them as they are."""
        keep, fraction = variant
        if keep == "full":
            return dict(self._weights)
        pruned = {name: pruner.keep(fraction, keep) for name, pruner in self._pruners.items()}
        return {**self._weights, **pruned}


def evaluate_changed(
    task: Task, model: Network, weights: Mapping[str, Tensor], params: InterventionParams
) -> dict[str, float]:
    """Return the metrics by `split/metric` of weights that were loaded as `load_changed` does."""
    load_changed(task, model, weights, params)
    return task.evaluate_all(model)


def load_changed(
    task: Task, model: Network, weights: Mapping[str, Tensor], params: InterventionParams
) -> None:
    """Give a network weights that training did not reach by itself.

    BatchNorm statistics are re-estimated on the first `batch_norm_samples` training samples.

    Args:
        task: The learning problem.
        model: A network of the run's architecture; its weights are replaced.
        weights: Parameters and buffers by name.
        params: Number of samples for BatchNorm.
    """
    model.load_state_dict(dict(weights))
    reestimate_on_training_data(task, model, params.batch_norm_samples)
