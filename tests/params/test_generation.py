import pytest

DIFFUSION = {
    "kind": "diffusion",
    "num_steps": 1000,
    "beta_start": 1e-5,
    "beta_end": 5e-3,
    "sigmoid_range": 6.0,
}
UNET = {"kind": "unet", "channels": [8, 16, 32, 64], "embedding_width": 64, "fourier_scale": 30.0}
GENERATION = {"tasks.digits.problem": DIFFUSION, "tasks.digits.model": UNET}


def test_generation_on_digits_is_valid(problems_with):
    assert problems_with(GENERATION) == []


@pytest.mark.parametrize("model", ["vgg", None])
def test_problem_and_model_must_belong_together(problems_with, model):
    changes = dict(GENERATION)
    del changes["tasks.digits.model" if model else "tasks.digits.problem"]
    (problem,) = problems_with(changes)
    got, expected = ("diffusion", "classification") if model else ("classification", "diffusion")
    assert problem.startswith("experiments.digits_vgg.problem.kind: ")
    assert f"got '{got}'; expected {expected}" in problem


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("problem.beta_end", 1e-6, "beta_start = 1e-05 is not below beta_end = 1e-06"),
        ("problem.num_steps", 1, "greater than or equal to 2"),
        ("problem.kind", "diffuse", "'diffusion'"),
        ("problem.betas", 3, "unknown key"),
        ("model.channels", [8, 18], "multiple of 4"),
        ("model.embedding_width", 7, "multiple of 2"),
        ("model.fourier_scale", 0.0, "greater than 0"),
    ],
)
def test_bad_value_is_named(problems_with, key, value, expected):
    section, name = key.split(".")
    base = {"problem": DIFFUSION, "model": UNET}[section]
    problems = problems_with(GENERATION | {f"tasks.digits.{section}": base | {name: value}})
    assert any("tasks.digits" in line and expected in line for line in problems), problems


def test_images_too_small_for_the_levels_are_named(problems_with):
    deep = UNET | {"channels": [8, 8, 8, 8, 8, 8]}
    (problem,) = problems_with(GENERATION | {"tasks.digits.model": deep})
    assert "experiments.digits_vgg.model: unet of 6 levels reads no images of 32 x 32" in problem
