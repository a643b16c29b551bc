import math

import pytest
import torch

from specflow.params.problems import DiffusionParams
from specflow.tasks import load_task
from specflow.tasks.noise import NoiseSchedule
from specflow.tasks.sampling import sample

CPU = torch.device("cpu")
PARAMS = DiffusionParams(
    kind="diffusion", num_steps=60, beta_start=1e-3, beta_end=0.3, sigmoid_range=6.0
)


class Perfect(torch.nn.Module):
    """The best prediction for images that are all zero but for one constant."""

    def __init__(self, level):
        super().__init__()
        self.level = torch.nn.Parameter(torch.tensor(level))
        self.schedule = NoiseSchedule(PARAMS, CPU)

    def forward(self, images, times):
        step = int((times[0] * 60).round())
        signal, noise = self.schedule.signal_scale[step], self.schedule.noise_scale[step]
        return (images - signal * self.level) / noise


def test_samples_have_the_shape_of_images_and_depend_on_the_seed_alone(diffusion_run):
    task = load_task(diffusion_run, CPU)
    torch.manual_seed(0)
    model = task.build_model()
    first, second, other = (task.sample(model, 3, seed) for seed in (4, 4, 5))
    assert first.shape == (3, 1, 28, 28)
    assert first.isfinite().all()
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_sampling_leaves_mode_and_global_generator_alone(diffusion_run):
    task = load_task(diffusion_run, CPU)
    model = task.build_model().train()
    before = torch.get_rng_state()
    task.sample(model, 1, 0)
    assert model.training
    assert torch.equal(torch.get_rng_state(), before)


def test_value_range_is_that_of_the_training_images(diffusion_run):
    task = load_task(diffusion_run, CPU)
    images = task.data["train"]["inputs"]
    low, high = task.value_range()
    assert low.tolist() == [images.min()]
    assert high.tolist() == [images.max()]
    assert task.data["validation"]["inputs"].min() != images.min()


def test_perfect_network_leads_noise_to_its_image():
    model = Perfect(1.7)
    images = sample(model, model.schedule, (5, 2, 6, 6), 0)
    assert images.shape == (5, 2, 6, 6)
    assert (images - 1.7).abs().max() < 0.05


def test_sampling_matches_a_slow_version_of_algorithm_2():
    model = Perfect(0.5)
    generator = torch.Generator().manual_seed(3)
    x = torch.randn((2, 2, 6, 6), generator=generator)
    betas = [float(b) for b in model.schedule.variances]
    for t in range(59, -1, -1):
        signal = math.prod(1 - b for b in betas[: t + 1])
        predicted = model(x, torch.full((2,), t / 60)).detach()
        x = (x - betas[t] / math.sqrt(1 - signal) * predicted) / math.sqrt(1 - betas[t])
        if t > 0:
            x = x + math.sqrt(betas[t]) * torch.randn((2, 2, 6, 6), generator=generator)
    torch.testing.assert_close(
        sample(model, model.schedule, (2, 2, 6, 6), 3), x, rtol=1e-3, atol=1e-4
    )


def test_noise_that_shrinks_is_refused():
    with pytest.raises(ValueError, match=r"beta_start = 0.3 is not below beta_end = 0.1"):
        DiffusionParams(
            kind="diffusion", num_steps=9, beta_start=0.3, beta_end=0.1, sigmoid_range=6.0
        )
