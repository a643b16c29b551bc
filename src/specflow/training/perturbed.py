"""Networks at a perturbed split point."""

from dataclasses import dataclass

import torch

from specflow.interventions.perturbation import gaussian_direction, perturb
from specflow.models.network import Network
from specflow.problems.batch_norm import reestimate_on_training_data
from specflow.problems.task import Task
from specflow.training.order import perturbation_seed


@dataclass(frozen=True)
class Perturbation:
    """How a split point is perturbed.

    Attributes:
        scale: Length of the step relative to the norm of each matrix; 0 changes nothing.
        batch_norm_samples: Training samples from which BatchNorm statistics are re-estimated.
    """

    scale: float
    batch_norm_samples: int


@torch.no_grad()
def perturb_network(
    model: Network, task: Task, perturbation: Perturbation, trunk_seed: int
) -> None:
    """Perturb every matrix of a network but the last, and re-estimate its BatchNorm statistics.

    The direction of a matrix depends on the trunk's seed and the name of the matrix alone: the
    starts of a trunk at several scales lie along one direction and differ in one number.

    Args:
        model: The network; changed in place, not at all at scale 0.
        task: Its learning problem.
        perturbation: How.
        trunk_seed: Seed of the trunk.
    """
    if perturbation.scale == 0:
        return
    parameters = dict(model.named_parameters())
    for matrix in model.wiring.inner:
        name = matrix.view.tensor
        weight = parameters[name]
        direction = gaussian_direction(weight.shape, perturbation_seed(trunk_seed, name))
        weight.copy_(perturb(weight, direction, perturbation.scale))
    reestimate_on_training_data(task, model, perturbation.batch_norm_samples)
