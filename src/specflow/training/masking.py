"""Training with a part of the weights held at exactly 0: the runs of a lottery ticket."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch

from specflow.checkpoints.trajectory import open_trajectory
from specflow.errors import SpecflowError
from specflow.interventions.masks import Kind, Mask, ticket_masks
from specflow.problems.batch_norm import reestimate_on_training_data
from specflow.training.loop import Trainer
from specflow.training.order import new_weights_seed


@dataclass(frozen=True)
class Masking:
    """The mask of a run, on from its first step to its last.

    Attributes:
        source: Trajectory of the run whose final weights decide what is kept.
        kind: As for `ticket_masks`.
        density: Share of weights kept, over all matrices but the last.
        seed: The source's seed.
        batch_norm_samples: Training samples, the first ones, from which BatchNorm statistics are
            re-estimated once the mask is on.
    """

    source: Path
    kind: Kind
    density: float
    seed: int
    batch_norm_samples: int
    scale: ClassVar[float] = 0.0

    def fingerprint(self) -> str:
        """Return a SHA-256 of all that decides the mask."""
        settings = (self.kind, self.density, self.seed, self.batch_norm_samples)
        digest = hashlib.sha256(repr(settings).encode())
        with open_trajectory(self.source) as source:
            for name, weight in sorted(source.weights(-1).items()):
                digest.update(name.encode() + weight.tobytes())
        return digest.hexdigest()

    def begin(self, trainer: Trainer) -> None:
        """Mask a network that has the weights of its first step.

        If reinitialized, its masked matrices are drawn anew before; biases, norms, the last layer
        and the optimizer's state stay (Yunis et al. 2024). BatchNorm statistics are those of the
        unmasked network: they are estimated anew, once, so that the first checkpoint is evaluated
        with its own; training follows them from there.
        """
        if self.kind == "reinitialized":
            self._draw_anew(trainer)
        self.hold(trainer)
        reestimate_on_training_data(trainer.task, trainer.model, self.batch_norm_samples)

    def hold(self, trainer: Trainer) -> None:
        """Set the masked weights to 0 and keep them there.

        Their gradients are 0 too, lest they count when gradients are clipped; momentum that came
        with the source, whatever it does to them, is undone after every step.
        """
        parameters = dict(trainer.model.named_parameters())
        device = trainer.task.device
        masks = {name: mask.to(device) for name, mask in self._masks(trainer).items()}
        for name, mask in masks.items():
            parameters[name].register_hook(mask.apply)

        @torch.no_grad()
        def apply(*_: object) -> None:
            for name, mask in masks.items():
                parameters[name].copy_(mask.apply(parameters[name]))

        trainer.optimizer.register_step_post_hook(apply)
        apply()

    @torch.no_grad()
    def _draw_anew(self, trainer: Trainer) -> None:
        torch.manual_seed(new_weights_seed(self.seed))
        fresh = trainer.task.build_model()
        for matrix in trainer.model.wiring.inner:
            weight = trainer.model.get_parameter(matrix.view.tensor)
            weight.copy_(fresh.get_parameter(matrix.view.tensor))

    def _masks(self, trainer: Trainer) -> dict[str, Mask]:
        with open_trajectory(self.source) as source:
            source.check_data(trainer.task.fingerprint)
            final = source.weights(-1)
        names = [matrix.view.tensor for matrix in trainer.model.wiring.inner]
        weights = {name: torch.from_numpy(final[name]) for name in names}
        try:
            return ticket_masks(weights, kind=self.kind, density=self.density, seed=self.seed)
        except ValueError as error:
            raise SpecflowError(f"{self.source}: {error}") from error
