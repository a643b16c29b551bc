"""The step that the name of a checkpoint says."""

import random

import pytest

from specflow.checkpoints.steps import steps_of
from specflow.errors import SpecflowError


def steps(*names, are_given=True):
    return list(steps_of(names, are_given).by_name.values())


TOLD = [
    (("step10.pt", "step9.pt"), [10, 9]),
    (("llama-7b/step10/m.pt", "llama-7b/step9/m.pt"), [10, 9]),
    (("epoch=3-step=1200.ckpt", "epoch=12-step=4800.ckpt"), [1200, 4800]),
    (("epoch_1_acc_0.7.pth", "epoch_2_acc_0.65.pth"), [1, 2]),
    (("step10-loss0.52.pt", "step20-loss0.47.pt"), [10, 20]),
    (("ckpt_1k.pt", "ckpt_10k.pt", "ckpt_1M.pt"), [1000, 10_000, 1_000_000]),
    (("step1000-tokens4B", "step2000-tokens8B"), [1000, 2000]),
    (("a/step1.0.pt", "a/step2.0.pt"), [1, 2]),
    (("runA/step100.pt", "runB/step200.pt"), [100, 200]),
    (("max_steps_500-step_10.pt", "max_steps_500-step_20.pt"), [10, 20]),
    (("global_step10/x.pt", "global_step5/x.pt"), [10, 5]),
    (("model_0004999.pth", "model_0009999.pth"), [4999, 9999]),
    (("init.pt", "step_10.pt", "final.pt"), [0, 10, 11]),
    (("model_0004999.pth", "model_0009999.pth", "model_final.pth"), [4999, 9999, 10_000]),
    (("epoch=1-step=10.ckpt", "last.ckpt"), [10, 11]),
    (("final.pt", "init.pt"), [1, 0]),
    (("best.pt", "final.pt", "init.pt"), [1, 2, 0]),
    (("final.pt", "base.pt"), [1, 0]),
    (("model_30.pt", "model_init.pt", "model_last.pt"), [30, 0, 31]),
    (("llama-7b-30.pt", "llama-7b-last.pt"), [30, 31]),
    (("llama-7b-chat.pt", "llama-7b-init.pt"), [1, 0]),
]


@pytest.mark.parametrize(("names", "expected"), TOLD)
def test_step_is_what_the_name_says(names, expected):
    found = steps_of(names, False)
    assert [found.by_name[name] for name in names] == expected


def test_step_does_not_depend_on_the_order_of_names():
    rng = random.Random(0)
    for names, _ in TOLD:
        shuffled = rng.sample(names, len(names))
        assert steps_of(shuffled, False).by_name == steps_of(names, False).by_name


@pytest.mark.parametrize(
    "names",
    [
        ("Mistral-7B-v0.3", "Mistral-7B-Instruct-v0.3"),
        ("Mistral-7B-v0.3", "Mistral-7B-v0.1"),
        ("Mistral-7B-v0.3", "Zephyr-7B-beta"),
        ("Qwen2.5-7B", "Llama-3-8B"),
        ("llama-7b.pt", "llama-13b.pt"),
        ("seed2.pt", "seed1.pt"),
        ("run1/model.pt", "run2/model.pt"),
        ("lr1e-3.pt", "lr1e-4.pt"),
        ("young.pt", "old.pt"),
        ("snapshots/0f1e2d3c4b5a", "snapshots/9a8b7c6d5e4f"),
        ("Mistral-7B-v0.3", "Mistral-7B-Instruct-v0.3", "Zephyr-7B-beta"),
    ],
)
def test_number_that_is_no_step_becomes_none(names):
    found = steps_of(names, True)
    assert list(found.by_name.values()) == [*range(len(names))]
    (note,) = found.notes
    assert note.startswith("steps: numbered in the order given, as no number in their names is a s")
    assert f"{names[1]} is 1" in note


def test_decimals_are_numbered_in_their_order_and_that_is_said():
    found = steps_of(("model_10.0.pt", "model_0.5.pt", "model_1.0.pt"), False)
    assert list(found.by_name.values()) == [2, 0, 1]
    assert found.notes == (
        "steps: numbered in the order of the decimals in their names: 0.5 is 0, 1.0 is 1, "
        "10.0 is 2",
    )


def test_last_one_is_said_to_follow():
    assert steps_of(("step_10.pt", "final.pt"), False).notes == (
        "steps: final.pt is numbered 11, after all others",
    )


@pytest.mark.parametrize(
    "names",
    [
        ("step_0.pt", "init.pt", "step_5.pt"),  # two that begin
        ("best.pt", "step_10.pt", "step_20.pt"),
        ("a-step_10.pt", "b.pt"),
        ("a1-b1.pt", "a2-b5.pt", "a3-b2.pt"),
        ("SmolLM-135M.pt", "SmolLM-360M.pt"),
        ("epoch=1-step=200.ckpt", "epoch=2-step=100.ckpt"),
        ("step10.pt", "final.pt", "last.pt"),
        ("final.pt", "last.pt", "best.pt"),
        ("model_30_b40.pt", "init.pt"),
        ("model_0.pt", "model_init.pt"),
    ],
)
def test_what_is_open_is_refused_with_the_way_out(names):
    with pytest.raises(SpecflowError, match=r"expected step_from \(--step-from\), or .*STEP=PATH"):
        steps_of(names, True)


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("step1000.pt", 1000),
        ("epoch=3-step=1200.ckpt", 1200),
        ("checkpoint-500/model.safetensors", 500),
        ("ckpt_10k.pt", 10_000),
        ("Mistral-7B-v0.3", 0),
        ("timestep5.pt", 0),
        ("max_steps=1000.pt", 0),
        ("resnet50.pth", 0),
    ],
)
def test_single_checkpoint_is_of_the_step_after_a_word_for_it(name, step):
    assert steps_of([name], True) == ({name: step}, ())


def test_version_with_several_dots_is_no_step():
    names = ["v1.2.3/step1.pt", "v1.2.3/step20.pt"]
    assert steps_of(names, True).by_name == dict(zip(names, (1, 20), strict=True))


@pytest.mark.parametrize("are_given", [True, False])
def test_ends_stand_at_the_ends_of_names_without_numbers(are_given):
    names = ("last.pt", "anna.pt", "init.pt", "berta.pt")
    found = steps_of(names, are_given)
    assert found.by_name == {"init.pt": 0, "anna.pt": 1, "berta.pt": 2, "last.pt": 3}
    assert "anna.pt is 1, berta.pt is 2" in found.notes[0]


def test_word_that_all_names_have_says_no_end():
    assert steps("final-a.pt", "final-b.pt") == [0, 1]
