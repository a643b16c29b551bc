from pathlib import Path

import pytest
import torch

from specflow.params.file import load_params
from specflow.params.resolve import run_params
from specflow.plan.samples import random_samples
from specflow.tasks import build_task

PAPER = load_params(Path(__file__).parents[2] / "presets" / "paper.yaml")
CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("vgg", {"inputs": (4, 3, 32, 32), "targets": (4,)}),
        ("unet", {"inputs": (4, 1, 28, 28), "targets": (4,)}),
        ("grokking", {"inputs": (4, 3), "targets": (4,)}),
        ("transformer", {"tokens": (4, 2049)}),
        (
            "lstm",
            {
                "inputs": (4, 7, 40),
                "input_lengths": (4,),
                "targets": (4, 4),
                "target_lengths": (4,),
            },
        ),
    ],
)
def test_samples_have_the_shape_of_the_data(name, expected):
    samples = random_samples(run_params(PAPER, name), 4, CPU, num_frames=7)
    assert {key: tuple(array.shape) for key, array in samples.items()} == expected


@pytest.mark.parametrize("num_frames", [1, 2, 7])
def test_utterances_are_long_enough_for_their_transcripts(num_frames):
    run = run_params(PAPER, "lstm")
    torch.manual_seed(0)
    samples = random_samples(run, 16, CPU, num_frames)
    samples["targets"][:] = 5  # a blank is needed between any two
    task = build_task(run, {"train": samples, "validation": samples}, "")
    with torch.no_grad():
        assert task.training_loss(task.build_model(), slice(0, 16)).isfinite()
