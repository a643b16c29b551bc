import pytest
import torch
from tests.problems.made_up import settings_of

from specflow.datasets.shapes import ImageShape, SpeechShape, TokenShape
from specflow.problems.settings import ProblemSection, ProblemSettings

IMAGES = ImageShape(channels=1, size=32, num_classes=10)
TOKENS = TokenShape(num_tokens=7, length=3)
SPEECH = SpeechShape(num_features=5, characters="abc")
SIZES = {"num_blocks": 1, "d_model": 8, "num_heads": 2, "d_mlp": 16, "norm": "none"}
TRANSFORMER = {"kind": "transformer", **SIZES}
UNET = {"kind": "unet", "channels": [4, 8], "embedding_width": 4, "fourier_scale": 30.0}
LSTM = {"kind": "lstm", "num_layers": 1, "hidden": 3, "bidirectional": True}
NOISE = {"num_steps": 9, "beta_start": 0.1, "beta_end": 0.3, "sigmoid_range": 6.0}
CASES = [
    ({"kind": "classification"}, {"kind": "vgg", "depth": 11, "width": 1}, IMAGES),
    ({"kind": "classification"}, TRANSFORMER, TOKENS),
    ({"kind": "language_modelling"}, TRANSFORMER, TOKENS),
    ({"kind": "diffusion", **NOISE}, UNET, IMAGES),
    ({"kind": "ctc"}, LSTM, SPEECH),
]


def test_every_kind_is_tested_here():
    assert {problem["kind"] for problem, _, _ in CASES} == set(ProblemSection.kinds())


@pytest.mark.parametrize(("problem", "model", "shape"), CASES)
def test_random_samples_are_what_a_training_step_reads(problem, model, shape):
    settings = settings_of(problem, model, shape)
    assert ProblemSettings.model_validate_json(settings.model_dump_json()) == settings
    samples = settings.problem.random_samples(shape, 4, torch.device("cpu"))
    task = settings.problem.task(settings, {"train": samples, "validation": samples}, "")
    loss = task.training_loss(task.build_model(), slice(0, 4))
    assert loss.isfinite()
    assert loss.requires_grad
