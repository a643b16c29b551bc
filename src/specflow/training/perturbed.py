"""Branches from a perturbed split point."""

from dataclasses import dataclass

import torch

from specflow.interventions.perturbation import gaussian_direction, perturb
from specflow.problems.batch_norm import reestimate_on_training_data
from specflow.training.loop import Trainer
from specflow.training.order import perturbation_seed


@dataclass(frozen=True)
class Perturbation:
    """A step away from a split point, of every matrix but the last.

    The direction of a matrix depends on the trunk's seed, the branch's number and the name of the
    matrix alone: two branches of one scale start from two points, and the starts of one branch at
    several scales lie along one line. The state of the optimizer stays that of the trunk.

    Attributes:
        scale: Length of the step relative to the norm of each matrix; 0 changes nothing.
        seed: The trunk's seed.
        branch: The number of the branch.
        batch_norm_samples: Training samples, the first ones, from which BatchNorm statistics are
            re-estimated.
    """

    scale: float
    seed: int
    branch: int
    batch_norm_samples: int

    def fingerprint(self) -> str:
        """Return all that decides the step."""
        return repr(self)

    @torch.no_grad()
    def begin(self, trainer: Trainer) -> None:
        """Move a network that has the weights of its split point."""
        if self.scale == 0:
            return
        for matrix in trainer.model.wiring.inner:
            weight = trainer.model.get_parameter(matrix.view.tensor)
            seed = perturbation_seed(self.seed, self.branch, matrix.view.tensor)
            direction = gaussian_direction(weight.shape, seed)
            weight.copy_(perturb(weight, direction, self.scale))
        reestimate_on_training_data(trainer.task, trainer.model, self.batch_norm_samples)

    def hold(self, trainer: Trainer) -> None:
        """Do nothing: a network that has moved goes where training leads it."""
