import math

import numpy as np
import pytest
import torch

from specflow.params.problems import DiffusionParams
from specflow.tasks import load_task
from specflow.tasks.noise import NoiseSchedule

CPU = torch.device("cpu")
PAPER = DiffusionParams(
    kind="diffusion", num_steps=1000, beta_start=1e-5, beta_end=5e-3, sigmoid_range=6.0
)


@pytest.fixture
def task(diffusion_run):
    torch.manual_seed(0)
    return load_task(diffusion_run, CPU)


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
    for t in range(50):
        b = float(schedule.variances[t])
        mean, variance = math.sqrt(1 - b) * mean, (1 - b) * variance + b
        step = torch.tensor([t])
        without = schedule.noised(image, 0 * noise, step).item()
        assert without == pytest.approx(mean, rel=1e-5)
        assert schedule.noised(0 * image, noise, step).item() ** 2 == pytest.approx(
            variance, rel=1e-3
        )


def test_each_image_is_noised_by_its_own_step():
    schedule = NoiseSchedule(PAPER, CPU)
    images, noise = torch.randn(2, 3, 2, 4, 4)
    steps = torch.tensor([999, 0, 400])
    together = schedule.noised(images, noise, steps)
    for i in range(3):
        one = slice(i, i + 1)
        assert torch.equal(together[one], schedule.noised(images[one], noise[one], steps[one]))


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
    _, signal = slow_schedule(task.run.problem)
    total = 0.0
    for image, drawn, step, time in zip(images, noise, steps, model.seen[0][1], strict=True):
        noised = math.sqrt(signal[step]) * image + math.sqrt(1 - signal[step]) * drawn
        total += float(((0.5 * noised - drawn) ** 2).mean()) / 3
        assert time == pytest.approx(int(step) / 20)
    assert loss.item() == pytest.approx(total, rel=1e-5)


def test_training_draws_new_noise_and_evaluation_does_not(task):
    model = task.build_model()
    losses = {task.training_loss(model, slice(0, 10)).item() for _ in range(3)}
    assert len(losses) == 3
    metrics = [task.evaluate_all(model) for _ in range(2)]
    assert metrics[0] == metrics[1]


def test_evaluation_leaves_torchs_global_generator_alone(task):
    model = task.build_model()
    before = torch.get_rng_state()
    task.evaluate_all(model)
    assert torch.equal(torch.get_rng_state(), before)


def test_evaluation_noise_is_that_of_any_other_task_on_the_data(task, diffusion_run):
    model = task.build_model()
    assert load_task(diffusion_run, CPU).evaluate_all(model) == task.evaluate_all(model)


def test_evaluation_does_not_depend_on_its_batches(task):
    model = task.build_model()
    evaluation = task.run.evaluation.model_copy(update={"batch_size": 7})
    whole = task.evaluate_all(model)
    task.run = task.run.model_copy(update={"evaluation": evaluation})
    assert task.evaluate_all(model) == pytest.approx(whole, rel=1e-6)


def test_parts_have_noise_of_their_own(task):
    train, validation = Recorder(0.0), Recorder(0.0)
    task.data = {split: {"inputs": torch.zeros(5, 1, 28, 28)} for split in task.data}
    task.totals(train, "train", slice(0, 5))
    task.totals(validation, "validation", slice(0, 5))
    assert not torch.equal(train.seen[0][0], validation.seen[0][0])


def test_predicting_nothing_leaves_all_of_the_noise_unexplained(task):
    metrics = task.evaluate_all(Recorder(0.0))
    for split in ("train", "validation"):
        assert metrics[f"{split}/error"] == pytest.approx(1.0)
        assert metrics[f"{split}/loss"] == pytest.approx(1.0, rel=0.02)


def test_error_and_loss_match_a_slow_version(task):
    model = Recorder(0.7)
    found = task.evaluate(model, "validation")
    noised = model.seen[0][0].double()
    noise, steps = task._fixed("validation")
    _, signal = slow_schedule(task.run.problem)
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


def test_observe_passes_the_selected_images(task):
    model = Recorder(1.0)
    task.observe(model, slice(10, 30))
    assert model.seen[0][0].shape == (20, 1, 28, 28)
