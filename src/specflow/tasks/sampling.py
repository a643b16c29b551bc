"""Sampling from a diffusion model: from noise back to images, one time step after the other."""

import torch
from torch import Tensor, nn

from specflow.params.datasets import ImageShape
from specflow.params.problems import DiffusionParams
from specflow.tasks.diffusion import NoiseSchedule


@torch.no_grad()
def sample(
    model: nn.Module, params: DiffusionParams, shape: ImageShape, count: int, seed: int
) -> Tensor:
    """Return new images by ancestral sampling (Ho et al. 2020, algorithm 2, sigma_t^2 = beta_t).

    Args:
        model: A noise-prediction network of (images, times); left in the mode in which it came.
        params: The noising process that it was trained on.
        shape: Shape of an image.
        count: Number of images.
        seed: Seed of all noise, which is drawn on the CPU: two networks given the same seed start
            from, and are led by, the same noise.

    Returns:
        Shape (count, channels, size, size), in the units of the training images.
    """
    device = next(model.parameters()).device
    schedule = NoiseSchedule(params, device)
    generator = torch.Generator().manual_seed(seed)
    images_shape = (count, shape.channels, shape.size, shape.size)
    images = torch.randn(images_shape, generator=generator).to(device)
    was_training = model.training
    model.eval()
    for step in reversed(range(params.num_steps)):
        steps = torch.full((count,), step, device=device)
        predicted = model(images, schedule.times(steps)).float()
        variance = schedule.variances[step]
        images = images - variance / schedule.noise_scale[step] * predicted
        images = images / (1 - variance).sqrt()
        if step > 0:
            images += variance.sqrt() * torch.randn(images_shape, generator=generator).to(device)
    model.train(was_training)
    return images
