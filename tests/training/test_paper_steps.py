"""One optimizer step of each model of presets/paper.yaml at full width, on random data.

On the CPU there are fewer samples than in a batch of the preset, and windows of text are shorter
than 2048 tokens; models, optimizers, clipping and accumulation are the preset's. On CUDA windows
and precision are the preset's too.
"""

from pathlib import Path

import pytest
import torch

from specflow.params.file import load_params
from specflow.params.resolve import run_params
from specflow.plan.samples import random_samples
from specflow.tasks import build_task
from specflow.training.loop import Trainer
from specflow.training.optimizers import build_optimizer

PAPER = load_params(Path(__file__).parents[2] / "presets" / "paper.yaml")
IN_16_BIT = ["transformer"]
WINDOW = 64  # tokens


def paper_run(name, window=None):
    run = run_params(PAPER, name)
    if window is None:
        return run
    return run.model_copy(update={"dataset": run.dataset.model_copy(update={"length": window})})


def take_step(run, num_samples, device, num_frames=3):
    """Take the first step; return losses of its parts, and the parameters before and after."""
    torch.manual_seed(0)
    data = random_samples(run, num_samples, torch.device(device), num_frames)
    task = build_task(run, {"train": data, "validation": data}, "")
    model = task.build_model()
    losses, training_loss = [], task.training_loss

    def recorded(*arguments):
        losses.append(training_loss(*arguments))
        return losses[-1]

    task.training_loss = recorded
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    trainer = Trainer(task, model, build_optimizer(run.optimizer, model), order_seed=0)
    assert list(trainer.run(0, [1], lambda done: None)) == [1]
    after = {name: p.detach() for name, p in model.named_parameters()}
    return [loss.detach() for loss in losses], before, after


def assert_learned(losses, before, after):
    assert all(loss.isfinite() for loss in losses)
    assert after.keys() == before.keys()
    for name, parameter in after.items():
        assert parameter.isfinite().all(), name
        assert not torch.equal(parameter, before[name]), name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "num_samples", "window", "num_frames"),
    [
        ("grokking", PAPER.datasets["addition_30"].num_train, None, 0),
        ("grokking_slingshot", 1024, None, 0),
        ("vgg", 16, None, 0),
        ("unet", 16, None, 0),
        ("lstm", 4, None, 423),
        ("transformer", 2, WINDOW, 0),
        ("random_labels", 256, None, 0),
    ],
)
def test_step_at_full_width_moves_every_parameter(name, num_samples, window, num_frames):
    run = paper_run(name, window)
    losses, before, after = take_step(run, num_samples, "cpu", num_frames)
    assert len(losses) == min(run.accumulation_steps, num_samples)
    assert_learned(losses, before, after)


def test_preset_trains_in_16_bit_what_is_tested_so():
    runs = {name for name, run in PAPER.experiments.items() if run.precision != "float32"}
    assert {name.split("_decay")[0] for name in runs} == set(IN_16_BIT)


@pytest.mark.cuda
@pytest.mark.parametrize("name", IN_16_BIT)
def test_step_in_16_bit_moves_every_parameter_on_cuda(name):
    run = paper_run(name)
    types, multiply = set(), torch.nn.functional.linear

    def recorded(*arguments):
        output = multiply(*arguments)
        types.add(output.dtype)
        return output

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(torch.nn.functional, "linear", recorded)
        losses, before, after = take_step(run, 2, "cuda")
    assert types == {getattr(torch, run.precision)}
    assert {parameter.dtype for parameter in after.values()} == {torch.float32}
    assert_learned(losses, before, after)
