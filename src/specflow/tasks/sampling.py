"""Sampling from a diffusion model: from noise back to images, one time step after the other."""

import torch
from torch import Tensor, nn

from specflow.tasks.noise import NoiseSchedule


@torch.no_grad()
def sample(
    model: nn.Module, schedule: NoiseSchedule, shape: tuple[int, int, int, int], seed: int
) -> Tensor:
    """Return new images by ancestral sampling (Ho et al. 2020, algorithm 2, sigma_t^2 = beta_t).

    Args:
        model: A noise-prediction network of (images, times); left in the mode in which it came.
        schedule: The noising process that it was trained on, on the network's device.
        shape: Number of images, channels, height and width.
        seed: Seed of all noise, which is drawn on the CPU: two networks given the same seed start
            from, and are led by, the same noise.

    Returns:
        Images of this shape, in the units of the training images.
    """
    device = schedule.variances.device
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(shape, generator=generator).to(device)
    was_training = model.training
    model.eval()
    for step in reversed(range(len(schedule.variances))):
        steps = torch.full(shape[:1], step, device=device)
        predicted = model(images, schedule.times(steps)).float()
        variance = schedule.variances[step]
        images = images - variance / schedule.noise_scale[step] * predicted
        images = images / (1 - variance).sqrt()
        if step > 0:
            images += variance.sqrt() * torch.randn(shape, generator=generator).to(device)
    model.train(was_training)
    return images
