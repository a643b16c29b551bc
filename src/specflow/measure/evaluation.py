"""Loss and error of networks whose weights were changed by hand."""

from collections.abc import Mapping
from typing import Literal

from torch import Tensor

from specflow.interventions.batch_norm import reestimate_batch_norm
from specflow.interventions.svd_pruning import SpectrumPruner
from specflow.models import Network
from specflow.models.wiring import Wiring
from specflow.params.tasks import InterventionParams
from specflow.tasks import Task

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
    """Return the metrics of weights that training did not reach by itself.

    BatchNorm statistics are re-estimated on the first `batch_norm_samples` training samples.

    Args:
        task: The learning problem.
        model: A network of the run's architecture; its weights are replaced.
        weights: Parameters and buffers by name.
        params: Number of samples for BatchNorm.

    Returns:
        Metrics by `split/metric`.
    """
    model.load_state_dict(dict(weights))
    reestimate_batch_norm(model, lambda: task.observe_first(model, params.batch_norm_samples))
    return task.evaluate_all(model)
