from pathlib import Path

import pytest

from specflow.params.errors import ParamsError
from specflow.params.file import load_params

ROOT = Path(__file__).parents[2]
PRESETS = [ROOT / "params.yaml", *sorted((ROOT / "presets").glob("*.yaml"))]


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.name)
def test_shipped_file_is_valid(path):
    params = load_params(path)
    assert params.experiments


def test_experiment_overrides_its_task_key_by_key():
    params = load_params(ROOT / "presets" / "tiny.yaml")
    task, experiment = params.tasks["addition"], params.experiments["grokking"]
    assert task.optimizer.weight_decay == 0.0
    assert experiment.optimizer.weight_decay == 1.0
    assert experiment.optimizer.betas == task.optimizer.betas == (0.9, 0.98)


def test_unchanged_file_has_no_problems(problems_with):
    assert problems_with({}) == []


# One bad value each: the path that must be named, and words of the value and the expectation.
BAD_VALUES = [
    ("seeds", [], "seeds", "at least 1"),
    ("seeds", [1, 0], "seeds", "ascending"),
    ("seeds", [0, "1"], "seeds.1", "'1'"),
    ("datasets.addition.modulus", 1, "datasets.addition.modulus", "greater than or equal to 2"),
    ("datasets.addition.train_fraction", 1.0, "datasets.addition.train_fraction", "less than 1"),
    ("datasets.digits.image_size", 27, "datasets.digits.image_size", "28"),
    ("datasets.digits.kind", "digit", "datasets.digits.kind", "'digits'"),
    ("tasks.addition.model.num_heads", 3, "tasks.addition.model", "divide d_model = 16"),
    ("tasks.addition.model.norm", "batch", "tasks.addition.model.norm", "'layer'"),
    ("tasks.digits.model.depth", 12, "tasks.digits.model.depth", "11, 13, 16 or 19"),
    ("tasks.digits.optimizer.momentum", 1.0, "tasks.digits.optimizer.momentum", "less than 1"),
    (
        "tasks.digits.optimizer.learning_rate",
        "0.1",
        "tasks.digits.optimizer.learning_rate",
        "'0.1'",
    ),
    (
        "tasks.digits.optimizer.learning_rate",
        float("nan"),
        "tasks.digits.optimizer.learning_rate",
        "finite",
    ),
    ("tasks.digits.optimizer.kind", "adam", "tasks.digits.optimizer.kind", "'adamw', 'sgd'"),
    ("tasks.digits.schedule.factor", 0, "tasks.digits.schedule.factor", "greater than 0"),
    ("tasks.digits.num_epochs", 2.5, "tasks.digits.num_epochs", "2.5"),
    ("tasks.digits.num_epochs", True, "tasks.digits.num_epochs", "integer"),
    ("tasks.digits.batch_size", "all", "tasks.digits.batch_size", "whole number from 1, or full"),
    ("tasks.digits.batch_size", 0, "tasks.digits.batch_size", "whole number from 1, or full"),
    (
        "tasks.digits.interventions.keep_fractions",
        [0.5, 0.5],
        "tasks.digits.interventions.keep_fractions",
        "ascending",
    ),
    ("tasks.digits.spectra.score_length", 101, "tasks.digits.spectra", "at most"),
    ("tasks.digits.batch_size", 4501, "experiments.digits_vgg.batch_size", "less than the 4500"),
    (
        "tasks.digits.accumulation_steps",
        501,
        "experiments.digits_vgg.accumulation_steps",
        "batch size",
    ),
    ("tasks.digits.precision", "half", "tasks.digits.precision", "'bfloat16'"),
    (
        "tasks.digits.schedule.epochs",
        [2],
        "experiments.digits_vgg.schedule.epochs",
        "num_epochs = 2",
    ),
    (
        "tasks.addition.schedule.warmup_steps",
        60,
        "experiments.grokking.schedule.warmup_steps",
        "60 steps",
    ),
    (
        "tasks.digits.checkpoints.split_steps",
        [0, 4],
        "experiments.digits_vgg.checkpoints.split_steps",
        "3, 6, 9",
    ),
    (
        "tasks.digits.checkpoints.split_steps",
        [0, 9, 18],
        "experiments.digits_vgg.checkpoints.split_steps",
        "before the end",
    ),
    (
        "tasks.digits.interventions.keep_fractions",
        [0.0],
        "tasks.digits.interventions.keep_fractions.0",
        "greater than 0",
    ),
    ("experiments.grokking.task", "adition", "experiments.grokking.task", "addition, digits"),
    ("experiments.grokking.dataset", "mnist", "experiments.grokking.dataset", "addition, digits"),
    ("experiments.grokking.dataset", "digits", "experiments.grokking.model", "reads tokens"),
    ("experiments.digits_vgg.task", "addition", "experiments.digits_vgg.model", "reads tokens"),
    ("datasets.digits.image_size", 28, "experiments.digits_vgg.model", "32 x 32"),
    (
        "experiments.grokking.optimizer.weight_decay",
        "1.0",
        "experiments.grokking.optimizer.weight_decay",
        "valid number",
    ),
    (
        "experiments.grokking.optimizer.weight_dcay",
        1.0,
        "experiments.grokking.optimizer.weight_dcay",
        "did you mean weight_decay",
    ),
    (
        "experiments.Upper",
        {"task": "addition", "dataset": "addition"},
        "experiments.Upper",
        "legal name",
    ),
    ("connections.digits_vgg.experiment", "vgg", "connections.digits_vgg.experiment", "digits_vgg"),
    ("connections.digits_vgg.trunk_seeds", [7], "connections.digits_vgg.trunk_seeds", "[0, 1]"),
    ("connections.digits_vgg.split_steps", [3], "connections.digits_vgg.split_steps", "[0, 9]"),
    ("connections.digits_vgg.num_branches", 1, "connections.digits_vgg.num_branches", "2"),
    ("connections.digits_vgg.num_points", 2, "connections.digits_vgg.num_points", "3"),
    (
        "connections.digits_vgg.trunk_seeds",
        [0],
        "connections.digits_vgg.across_trunks",
        "trunk_seeds = [0]; expected false, or two",
    ),
    (
        "connections.digits_vgg.across_trunks",
        "yes",
        "connections.digits_vgg.across_trunks",
        "'yes'",
    ),
    (
        "connections.digits_vgg.split_steps",
        [0],
        "connections.digits_vgg.perturbation.split_step",
        "got 9; expected one of split_steps = [0]",
    ),
    (
        "connections.digits_vgg.perturbation.scales",
        [0.0, 1.0],
        "connections.digits_vgg.perturbation.scales.0",
        "greater than 0",
    ),
    (
        "connections.digits_vgg.perturbation.scales",
        [1.0, 0.5],
        "connections.digits_vgg.perturbation.scales",
        "ascending",
    ),
    (
        "connections.digits_vgg.perturbation.scales",
        [],
        "connections.digits_vgg.perturbation.scales",
        "at least 1",
    ),
    (
        "connections.digits_vgg.perturbation.scale",
        1.0,
        "connections.digits_vgg.perturbation.scale",
        "did you mean scales",
    ),
    ("tickets.digits_random.experiment", "vgg", "tickets.digits_random.experiment", "digits_vgg"),
    ("tickets.digits_random.kind", "small", "tickets.digits_random.kind", "'reinitialized'"),
    ("tickets.digits_random.density", 0.0, "tickets.digits_random.density", "greater than 0"),
    ("tickets.digits_random.density", 1.0, "tickets.digits_random.density", "less than 1"),
    ("tickets.digits_random.rewind_step", -9, "tickets.digits_random.rewind_step", "or equal to 0"),
    ("tickets.digits_random.rewind_step", 3, "tickets.digits_random.rewind_step", "[0, 9]"),
    ("tickets.digits_random.rewind_step", 3, "tickets.digits_random.rewind_step", "training again"),
    ("tickets.digits_random.seed", 0, "tickets.digits_random.seed", "unknown key"),
    ("figures.grokking.experiments", ["gokking"], "figures.grokking.experiments", "grokking"),
    ("figures.problems", ["digits_vgg", "gokking"], "figures.problems", "grokking"),
    ("figures.problems", ["digits_vgg"] * 7, "figures.problems", "at most 6"),
    ("figures.experiments", {"vgg": {}}, "figures.experiments.vgg", "digits_vgg"),
    ("figures.color", "red", "figures.color", "unknown key"),
    ("claims.confidence", 95, "claims.confidence", "less than 1"),
    ("claims.thresholds.rank_falls", 1.5, "claims.thresholds.rank_falls", "less than 1"),
    ("claims.thresholds.rank_fals", 0.5, "claims.thresholds.rank_fals", "mean rank_falls"),
    ("claims.thresholds.decay_lowers_rank", -2, "claims.thresholds.decay_lowers_rank", "-1"),
    ("claims.thresholds.top_settles_early", 0, "claims.thresholds.top_settles_early", "0"),
    ("claims.grokking.decay", "gokking", "claims.grokking.decay", "digits_vgg, grokking"),
    ("claims.grokking.no_dcay", None, "claims.grokking.no_dcay", "did you mean no_decay"),
    ("extra", 1, "extra", "unknown key"),
]


@pytest.mark.parametrize(("path", "value", "named", "expected"), BAD_VALUES)
def test_bad_value_is_named_with_what_is_expected(problems_with, path, value, named, expected):
    problems = problems_with({path: value})
    assert any(p.split(":")[0] == named and expected in p for p in problems), problems


def test_connection_from_full_batches_is_refused(problems_with):
    changes = {
        "tasks.addition.checkpoints.split_steps": [20],
        "connections.digits_vgg.experiment": "grokking",
        "connections.digits_vgg.split_steps": [20],
        "connections.digits_vgg.perturbation": None,
    }
    (problem,) = problems_with(changes)
    assert problem.startswith("connections.digits_vgg.experiment: grokking trains on full batches")


def test_claims_on_grokking_may_be_without_experiments(problems_with):
    assert problems_with({"claims.grokking": None}) == []
    assert problems_with({"claims.grokking": {"decay": "grokking"}}) == []


def test_run_is_not_compared_with_itself(problems_with):
    (problem,) = problems_with({"claims.grokking": {"no_decay": "grokking", "decay": "grokking"}})
    assert problem.startswith("claims.grokking.decay: got 'grokking'; expected another experiment")


@pytest.mark.parametrize(
    "path",
    [
        "seeds",
        "claims.thresholds.rank_falls",
        "tasks.digits.num_epochs",
        "tasks.digits.model.kind",
        "connections.digits_vgg.across_trunks",
        "connections.digits_vgg.perturbation",
        "tickets",
    ],
)
def test_missing_key_is_named(problems_with, path):
    problems = problems_with({}, remove=path)
    assert any(p.startswith(path) and "missing" in p for p in problems), problems


def test_all_errors_are_reported_at_once(problems_with):
    problems = problems_with(
        {
            "seeds": [0, "x"],
            "tasks.addition.num_epochs": "60",
            "experiments.grokking.optimizer.weight_decay": -1.0,
            "experiments.digits_vgg.checkpoints": {"split_steps": [1]},
            "connections.digits_vgg.num_points": 1,
        }
    )
    paths = [problem.split(":")[0] for problem in problems]
    assert paths == [
        "seeds.1",
        "tasks.addition.num_epochs",
        "connections.digits_vgg.num_points",
        "experiments.grokking.optimizer.weight_decay",
        "experiments.digits_vgg.checkpoints.split_steps",
        "tickets.digits_magnitude.rewind_step",
        "tickets.digits_random.rewind_step",
    ]


def test_override_of_another_kind_replaces_the_whole_mapping(problems_with):
    sgd = {"kind": "sgd", "learning_rate": 0.1, "momentum": 0.0, "weight_decay": 0.0}
    assert problems_with({"experiments.grokking.optimizer": sgd}) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a: [", "not valid YAML"), ("a: 1\na: 2\n", "not valid YAML"), ("- 1", "expected sections")],
)
def test_broken_yaml_is_an_error_without_traceback(tmp_path, text, expected):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(ParamsError, match=expected):
        load_params(path)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(ParamsError, match="no such file"):
        load_params(tmp_path / "params.yaml")
