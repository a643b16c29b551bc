"""Diffusion: images are noised step by step, and a network predicts the noise (Ho et al. 2020)."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from specflow.params.problems import DiffusionParams
from specflow.params.tasks import RunParams
from specflow.tasks.base import SPLITS, GenerativeTask, Selection, Split, Totals
from specflow.tasks.noise import NoiseSchedule
from specflow.tasks.sampling import sample


class Diffusion(GenerativeTask):
    """Mean squared error of the predicted noise; evaluated on noise that is drawn once.

    Every sample has its own noise and time step at evaluation, which depend on its place and part
    alone: numbers are comparable between checkpoints, prunings and runs. Targets are not read.
    """

    def __init__(
        self, run: RunParams, data: Mapping[Split, Mapping[str, Tensor]], fingerprint: str
    ) -> None:
        """Keep config and data, and compute the schedule."""
        super().__init__(run, data, fingerprint)
        assert isinstance(run.problem, DiffusionParams)  # `build_task` chooses by kind
        self.schedule = NoiseSchedule(run.problem, data["train"]["inputs"].device)
        self._drawn: dict[Split, tuple[Tensor, Tensor]] = {}

    def training_loss(self, model: nn.Module, selection: Selection) -> Tensor:
        """Return the mean squared error of noise drawn from torch's global generator."""
        images = self.data["train"]["inputs"][selection]
        noise = torch.randn_like(images)
        steps = torch.randint(self._num_steps, (len(images),), device=images.device)
        return (self._predict(model, images, noise, steps) - noise).square().mean()

    def totals(self, model: nn.Module, split: Split, selection: Selection) -> Totals:
        """Return the squared error of a noise component (loss) and unexplained noise (error).

        `error` is the share of a sample's noise that the prediction leaves unexplained,
        |noise - predicted|^2 / |noise|^2: 0 for a perfect network, 1 for one that writes zero,
        beyond 1 for a network worse than that.
        """
        images = self.data[split]["inputs"][selection]
        noise, steps = (drawn[selection] for drawn in self._fixed(split))
        predicted = self._predict(model, images, noise, steps)
        missed = (predicted.double() - noise).square().flatten(1)
        share = missed.sum(1) / noise.double().square().flatten(1).sum(1)
        return {"loss": (missed.mean(1).sum(), len(images)), "error": (share.sum(), len(images))}

    def observe(self, model: nn.Module, selection: Selection) -> None:
        """Pass the selected training samples through the network, noised as for evaluation."""
        noise, steps = (drawn[selection] for drawn in self._fixed("train"))
        self._predict(model, self.data["train"]["inputs"][selection], noise, steps)

    def sample(self, model: nn.Module, count: int, seed: int) -> Tensor:
        """Return new images by ancestral sampling, from the noise of a seed."""
        shape = self.data["train"]["inputs"].shape[1:]
        return sample(model, self.schedule, (count, *shape), seed)

    def value_range(self) -> tuple[Tensor, Tensor]:
        """Return the least and the greatest value of each channel of the training images."""
        images = self.data["train"]["inputs"]
        return images.amin(dim=(0, 2, 3)), images.amax(dim=(0, 2, 3))

    @property
    def _num_steps(self) -> int:
        return len(self.schedule.variances)

    def _predict(self, model: nn.Module, images: Tensor, noise: Tensor, steps: Tensor) -> Tensor:
        noised = self.schedule.noised(images, noise, steps)
        return model(noised, self.schedule.times(steps)).float()

    def _fixed(self, split: Split) -> tuple[Tensor, Tensor]:
        """Return noise and time step of every sample of a part, as drawn on the CPU."""
        if split not in self._drawn:
            images = self.data[split]["inputs"]
            generator = torch.Generator().manual_seed(SPLITS.index(split))
            steps = torch.randint(self._num_steps, (len(images),), generator=generator)
            noise = torch.randn(images.shape, generator=generator)
            self._drawn[split] = (noise.to(images.device), steps.to(images.device))
        return self._drawn[split]
