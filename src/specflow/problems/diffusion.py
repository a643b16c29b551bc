"""Diffusion: images are noised step by step, and a network predicts the noise (Ho et al. 2020)."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from specflow.datasets.shapes import ImageShape
from specflow.datasets.storage import SPLITS, Split
from specflow.problems.settings import ProblemSection, ProblemSettings
from specflow.problems.task import Data, GenerativeTask, Selection, Totals
from specflow.section import Fraction, Positive


class DiffusionParams(ProblemSection):
    """Prediction of the noise in noised images (Ho et al. 2020), mean squared error.

    Attributes:
        num_steps: Steps from an image to noise.
        beta_start: Variance of the noise added at a step, at the start: the floor of a sigmoid.
        beta_end: The same at the end: the ceiling of the sigmoid.
        sigmoid_range: The sigmoid is taken from minus this to plus this.
    """

    kind: Literal["diffusion"]
    num_steps: Annotated[int, Field(ge=2, le=10**6)]
    beta_start: Fraction
    beta_end: Fraction
    sigmoid_range: Positive
    is_generative: ClassVar[bool] = True
    # its error is the same in other units
    metrics: ClassVar[Mapping[str, str]] = {"loss": "noise-prediction loss"}

    @model_validator(mode="after")
    def _noise_grows(self) -> "DiffusionParams":
        if self.beta_start >= self.beta_end:
            raise ValueError(
                f"beta_start = {self.beta_start} is not below beta_end = "
                f"{self.beta_end}; expected noise that grows"
            )
        return self

    def task(self, settings: ProblemSettings, data: Data, fingerprint: str) -> "Diffusion":
        """Return the task on some data."""
        schedule = NoiseSchedule(self, data["train"]["inputs"].device)
        return Diffusion(settings, data, fingerprint, schedule)

    def random_samples(
        self, shape: ImageShape, count: int, device: torch.device, num_frames: int = 3
    ) -> dict[str, Tensor]:
        """Return random images."""
        size = (count, shape.channels, shape.size, shape.size)
        return {"inputs": torch.randn(size, device=device)}


class NoiseSchedule:
    """How much noise every time step t in [0, T) adds; tables of shape (T,), float32.

    Attributes:
        variances: beta_t, variance of the noise added at a step, ascending.
        signal_scale: sqrt(abar_t), abar_t = prod_{s <= t} (1 - beta_s): what is left of an image.
        noise_scale: sqrt(1 - abar_t), standard deviation of the noise by then.
    """

    def __init__(self, params: DiffusionParams, device: torch.device) -> None:
        """Compute the schedule in float64, from variances that are a sigmoid of time."""
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
        """
        signal = self.signal_scale[steps, None, None, None]
        return signal * images + self.noise_scale[steps, None, None, None] * noise

    def times(self, steps: Tensor) -> Tensor:
        """Return time steps as the network reads them: t / T in [0, 1), float32."""
        return steps / len(self.variances)


class Diffusion(GenerativeTask):
    """Mean squared error of the predicted noise; evaluated on noise that is drawn once.

    Every sample has its own noise and time step at evaluation, which depend on its place and part
    alone: numbers are comparable between checkpoints, prunings and runs. Targets are not read.
    """

    def __init__(
        self, settings: ProblemSettings, data: Data, fingerprint: str, schedule: NoiseSchedule
    ) -> None:
        """Keep settings, data and the noising process."""
        super().__init__(settings, data, fingerprint)
        self.schedule = schedule
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

    def baseline_losses(self, split: Split, selection: Selection) -> Tensor:
        """Return the squared error of a noise component if none is predicted."""
        return self._fixed(split)[0][selection].double().square().flatten(1).mean(1)

    @torch.no_grad()
    def sample(self, model: nn.Module, count: int, seed: int) -> Tensor:
        """Return new images by ancestral sampling (Ho et al. 2020, algorithm 2, sigma_t^2=beta_t).

        All noise is drawn on the CPU. The network is left in the mode in which it came.
        """
        schedule, shape = self.schedule, (count, *self.data["train"]["inputs"].shape[1:])
        generator = torch.Generator().manual_seed(seed)
        images = torch.randn(shape, generator=generator).to(self.device)
        was_training = model.training
        model.eval()
        for step in reversed(range(self._num_steps)):
            steps = torch.full((count,), step, device=self.device)
            predicted = model(images, schedule.times(steps)).float()
            variance = schedule.variances[step]
            images = images - variance / schedule.noise_scale[step] * predicted
            images = images / (1 - variance).sqrt()
            if step > 0:
                images += variance.sqrt() * torch.randn(shape, generator=generator).to(self.device)
        model.train(was_training)
        return images

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
