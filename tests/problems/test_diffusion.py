import math

import numpy as np
import pytest
import torch

from specflow import paths
from specflow.problems.diffusion import Diffusion, DiffusionParams, NoiseSchedule
from specflow.problems.task import load_task

CPU = torch.device("cpu")
IMAGES = paths.dataset("images")


def params(num_steps, beta_start, beta_end):
    return DiffusionParams(
        kind="diffusion",
        num_steps=num_steps,
        beta_start=beta_start,
        beta_end=beta_end,
        sigmoid_range=6.0,
    )


PAPER, FAST = params(1000, 1e-5, 5e-3), params(60, 1e-3, 0.3)


@pytest.fixture
def task(diffusion_run):
    torch.manual_seed(0)
    return load_task(diffusion_run, IMAGES, CPU)


def slow_schedule(params):
    """Variances and what is left of the signal, one step after the other in float64."""
    variances, signal, left = [], [], 1.0
    for t in range(params.num_steps):
        x = -params.sigmoid_range + 2 * params.sigmoid_range * t / (params.num_steps - 1)
        variance = params.beta_start + (params.beta_end - params.beta_start) / (1 + math.exp(-x))
        left *= 1 - variance
        variances.append(variance)
        signal.append(left)
    return np.array(variances), np.array(signal)


def test_schedule_of_the_paper_matches_a_slow_version():
    schedule = NoiseSchedule(PAPER, CPU)
    variances, signal = slow_schedule(PAPER)
    np.testing.assert_allclose(schedule.variances, variances, rtol=1e-6)
    np.testing.assert_allclose(schedule.signal_scale, np.sqrt(signal), rtol=1e-6)
    np.testing.assert_allclose(schedule.noise_scale, np.sqrt(1 - signal), rtol=1e-6)
    assert 1e-5 < variances[0] < variances[-1] < 5e-3
    assert variances[500] == pytest.approx(2.5e-3, rel=0.02)


def test_noised_images_are_those_of_one_step_after_the_other():
    """The closed form has the mean and variance of the chain x <- sqrt(1-b) x + sqrt(b) noise."""
    schedule = NoiseSchedule(PAPER.model_copy(update={"num_steps": 50}), CPU)
    mean, variance = 1.0, 0.0
    image, noise = torch.ones(1, 1, 1, 1), torch.ones(1, 1, 1, 1)
    for t, b in enumerate(schedule.variances.tolist()):
        mean, variance = math.sqrt(1 - b) * mean, (1 - b) * variance + b
        step = torch.tensor([t])
        without = schedule.noised(image, 0 * noise, step)
        alone = schedule.noised(0 * image, noise, step)
        assert without.item() == pytest.approx(mean, rel=1e-5)
        assert alone.item() ** 2 == pytest.approx(variance, rel=1e-3)


class Recorder(torch.nn.Module):
    """Predicts a multiple of its input, and keeps what it was given."""

    def __init__(self, factor):
        super().__init__()
        self.factor, self.seen = factor, []

    def forward(self, images, times):
        self.seen.append((images, times))
        return self.factor * images


def test_training_loss_matches_a_slow_version(task):
    chosen = torch.tensor([3, 7, 50])
    torch.manual_seed(5)
    model = Recorder(0.5)
    loss = task.training_loss(model, chosen)
    torch.manual_seed(5)
    images = task.data["train"]["inputs"][chosen]
    noise = torch.randn(images.shape)
    steps = torch.randint(20, (3,))
    _, signal = slow_schedule(task.settings.problem)
    total = 0.0
    for image, drawn, step, time in zip(images, noise, steps, model.seen[0][1], strict=True):
        noised = math.sqrt(signal[step]) * image + math.sqrt(1 - signal[step]) * drawn
        total += float(((0.5 * noised - drawn) ** 2).mean()) / 3
        assert time == pytest.approx(int(step) / 20)
    assert loss.item() == pytest.approx(total, rel=1e-5)


def test_training_draws_new_noise_and_evaluation_none(task):
    model = task.build_model()
    losses = {task.training_loss(model, slice(0, 10)).item() for _ in range(3)}
    assert len(losses) == 3
    before = torch.get_rng_state()
    assert task.evaluate_all(model) == task.evaluate_all(model)
    assert torch.equal(torch.get_rng_state(), before)


def test_evaluation_does_not_depend_on_its_batches(task):
    model = task.build_model()
    evaluation = task.settings.evaluation.model_copy(update={"batch_size": 7})
    whole = task.evaluate_all(model)
    task.settings = task.settings.model_copy(update={"evaluation": evaluation})
    assert task.evaluate_all(model) == pytest.approx(whole, rel=1e-6)


def test_parts_have_noise_of_their_own(task):
    model = Recorder(0.0)
    task.data = {split: {"inputs": torch.zeros(5, 1, 28, 28)} for split in task.data}
    task.evaluate_all(model)
    (train, _), (validation, _) = model.seen
    assert not torch.equal(train, validation)


def test_error_and_loss_match_a_slow_version(task):
    model = Recorder(0.7)
    found = task.evaluate(model, "validation")
    noised = model.seen[0][0].double()
    noise, steps = task._fixed("validation")
    _, signal = slow_schedule(task.settings.problem)
    losses, errors = [], []
    for i, image in enumerate(task.data["validation"]["inputs"].double()):
        signal_i = signal[steps[i]]
        expected = math.sqrt(signal_i) * image + math.sqrt(1 - signal_i) * noise[i]
        torch.testing.assert_close(noised[i], expected, rtol=1e-5, atol=1e-5)
        missed = ((0.7 * noised[i] - noise[i]) ** 2).sum()
        losses.append(float(missed) / 784)
        errors.append(float(missed / (noise[i].double() ** 2).sum()))
    assert found["loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    assert found["error"] == pytest.approx(np.mean(errors), rel=1e-5)
    assert found["loss_baseline"] == pytest.approx(float((noise.double() ** 2).mean()))


class Perfect(torch.nn.Module):
    """The best prediction for images that are all zero but for one constant."""

    def __init__(self, level):
        super().__init__()
        self.level = torch.nn.Parameter(torch.tensor(level))
        self.schedule = NoiseSchedule(FAST, CPU)

    def forward(self, images, times):
        step = int((times[0] * 60).round())
        signal, noise = self.schedule.signal_scale[step], self.schedule.noise_scale[step]
        return (images - signal * self.level) / noise


def test_samples_have_the_shape_of_images_and_depend_on_the_seed_alone(task):
    model = task.build_model().train()
    before = torch.get_rng_state()
    first, second, other = (task.sample(model, 3, seed) for seed in (4, 4, 5))
    assert first.shape == (3, 1, 28, 28)
    assert first.isfinite().all()
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert model.training
    assert torch.equal(torch.get_rng_state(), before)


def test_value_range_is_that_of_the_training_images(task):
    images = task.data["train"]["inputs"]
    low, high = task.value_range()
    assert low.tolist() == [images.min()]
    assert high.tolist() == [images.max()]
    assert task.data["validation"]["inputs"].min() != images.min()


def sample(model, count, seed):
    data = {"train": {"inputs": torch.zeros(1, 2, 6, 6)}}
    return Diffusion(None, data, "", model.schedule).sample(model, count, seed)


def test_perfect_network_leads_noise_to_its_image():
    images = sample(Perfect(1.7), 5, 0)
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
    torch.testing.assert_close(sample(model, 2, 3), x, rtol=1e-3, atol=1e-4)


def test_noise_that_shrinks_is_refused():
    with pytest.raises(ValueError, match=r"beta_start = 0.3 is not below beta_end = 0.1"):
        params(9, 0.3, 0.1)
