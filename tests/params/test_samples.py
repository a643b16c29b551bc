import pytest

SAMPLES = "samples.digits_unet"


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("experiment", "unet", "digits_unet, digits_vgg, grokking"),
        ("experiment", "grokking", "whose problem classification has nothing to sample"),
        ("experiment", "grokking", "expected one of digits_unet"),
        ("run_seed", 7, "expected one of seeds = [0, 1]"),
        ("num_images", 0, "greater than 0"),
        ("noise_seed", -1, "greater than or equal to 0"),
        ("seed", 0, "expected one of experiment, run_seed, num_images, noise_seed"),
    ],
)
def test_bad_value_is_named_with_what_is_expected(problems_with, key, value, expected):
    problems = problems_with({f"{SAMPLES}.{key}": value})
    assert len(problems) == 1
    assert problems[0].startswith(f"{SAMPLES}.{key}: ")
    assert expected in problems[0]


def test_where_nothing_can_be_sampled_the_error_says_so(problems_with):
    changes = {f"{SAMPLES}.experiment": "grokking"}
    (problem,) = problems_with(changes, remove="experiments.digits_unet")
    assert problem.endswith("expected one of none: there are none")


@pytest.mark.parametrize("key", ["experiment", "run_seed", "num_images", "noise_seed"])
def test_missing_key_is_named(problems_with, key):
    (problem,) = problems_with({}, remove=f"{SAMPLES}.{key}")
    assert problem == f"{SAMPLES}.{key}: missing; expected a value"


def test_faulty_experiment_is_reported_once(problems_with):
    (problem,) = problems_with({"experiments.digits_unet.num_epochs": 0})
    assert problem.startswith("experiments.digits_unet.num_epochs")
