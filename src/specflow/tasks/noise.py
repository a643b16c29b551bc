"""The noising process of diffusion: how much noise every time step adds (Ho et al. 2020)."""

import torch
from torch import Tensor

from specflow.params.problems import DiffusionParams


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
