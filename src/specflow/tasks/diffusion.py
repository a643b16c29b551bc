"""Diffusion: images are noised step by step, and a network predicts the noise (Ho et al. 2020)."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from specflow.params.problems import DiffusionParams
from specflow.params.tasks import RunParams
from specflow.tasks.base import SPLITS, Selection, Split, Task, Totals


class NoiseSchedule:
    """How much noise every time step t in [0, T) adds; tables of shape (T,), float32.

    Attributes:
        variances: beta_t, variance of the noise added at a step, ascending.
        signal_scale: sqrt(abar_t), abar_t = prod_{s <= t} (1 - beta_s): what is left of an image.
        noise_scale: sqrt(1 - abar_t), standard deviation of the noise by then.
    """

    def __init__(self, params: DiffusionParams, device: torch.device) -> None:
        """Compute the schedule in float64.

        Args:
            params: Number of steps, and the variances as a sigmoid of time.
            device: Where it is wanted.
        """
        points = torch.linspace(
            -params.sigmoid_range, params.sigmoid_range, params.num_steps, dtype=torch.float64
        )
        low, high = params.beta_start, params.beta_end
        variances = low + (high - low) * points.sigmoid()
        signal = (1 - variances).cumprod(0)
        self.variances = variances.float().to(device)
        self.signal_scale = signal.sqrt().float().to(device)
        self.noise_scale = (1 - signal).sqrt().float().to(device)

    def noised(self, images: Tensor, noise: Tensor, steps: Tensor) -> Tensor:
        """Return sqrt(abar_t) images + sqrt(1 - abar_t) noise (Ho et al. 2020, equation 4).

        Args:
            images: Shape (B, C, S, S).
            noise: Standard normal, of that shape.
            steps: Time step t of every image, shape (B,), int64.

        Returns:
            Shape (B, C, S, S).
        """
        signal, drawn = (
            scale[steps][:, None, None, None] for scale in (self.signal_scale, self.noise_scale)
        )
        return signal * images + drawn * noise

    def times(self, steps: Tensor) -> Tensor:
        """Return time steps as the network reads them: t / T in [0, 1), float32."""
        return steps / len(self.variances)


class Diffusion(Task):
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
