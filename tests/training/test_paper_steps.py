"""One optimizer step of each model of presets/paper.yaml at full width, on random data.

On the CPU there are fewer samples than in a batch of the preset, and windows of text are shorter
than 2048 tokens; models, optimizers, clipping and accumulation are the preset's. On CUDA windows
and precision are the preset's too.
"""

from pathlib import Path

import pytest
import torch
from pydantic import TypeAdapter
from ruamel.yaml import YAML

from specflow.datasets.dataset import Dataset
from specflow.training.loop import Trainer
from specflow.training.settings import RunSettings, TrainingParams

PAPER = YAML(typ="safe").load(Path(__file__).parents[2] / "presets" / "paper.yaml")
IN_16_BIT = ["language_modelling"]
WINDOW = 64  # tokens


def paper_run(task, dataset, window=None):
    keys = TrainingParams.model_fields
    training = {key: value for key, value in PAPER["tasks"][task].items() if key in keys}
    section = TypeAdapter(Dataset).validate_python(PAPER["datasets"][dataset])
    shape = section.shape.model_copy(update={"length": window} if window else {})
    names = {"experiment": task, "dataset_name": dataset, "seeds": [0]}
    resolved = {"shape": shape, "num_train": section.num_train, **names}
    return RunSettings.model_validate(training | resolved)


def take_step(run, num_samples, device, num_frames=3):
    """Take the first step; return losses of its parts, and the parameters before and after."""
    torch.manual_seed(0)
    data = run.problem.random_samples(run.shape, num_samples, torch.device(device), num_frames)
    task = run.problem.task(run, {"train": data, "validation": data}, "")
    model = task.build_model()
    losses, training_loss = [], task.training_loss

    def recorded(*arguments):
        losses.append(training_loss(*arguments))
        return losses[-1]

    task.training_loss = recorded
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    assert list(Trainer(run, task, model, 0).run(0, [1])) == [1]
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
    ("task", "dataset", "num_samples", "window", "num_frames"),
    [
        ("addition", "addition_30", 3830, None, 0),
        ("addition", "addition_70", 1024, None, 0),
        ("image_classification", "cifar10", 16, None, 0),
        ("image_generation", "mnist", 16, None, 0),
        ("speech_recognition", "librispeech", 4, None, 423),
        ("language_modelling", "wikitext", 2, WINDOW, 0),
        ("memorization", "cifar10", 256, None, 0),
    ],
)
def test_step_at_full_width_moves_every_parameter(task, dataset, num_samples, window, num_frames):
    run = paper_run(task, dataset, window)
    losses, before, after = take_step(run, num_samples, "cpu", num_frames)
    assert len(losses) == min(run.accumulation_steps, num_samples)
    assert_learned(losses, before, after)


def test_preset_trains_in_16_bit_what_is_tested_so():
    tasks = PAPER["tasks"].items()
    assert [name for name, task in tasks if task["precision"] != "float32"] == IN_16_BIT


@pytest.mark.cuda
def test_step_in_16_bit_moves_every_parameter_on_cuda():
    run = paper_run(*IN_16_BIT, "wikitext")
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
