import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from tests.config.conftest import TINY

from specflow.config.errors import ParamsError
from specflow.config.params import load_params

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
    ("pruning.keep_fractions", [0.5, 0.5], "pruning.keep_fractions", "ascending"),
    ("pruning.keep_fractions", [0.0], "pruning.keep_fractions.0", "greater than 0"),
    ("spectra.score_length", 101, "spectra", "at most"),
    ("experiments.grokking.spectra", {"mass": 2.0}, "experiments.grokking.spectra.mass", "less"),
    ("tasks.digits.spectra", {"mass": 0.5}, "tasks.digits.spectra", "unknown key"),
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
    ("checkpoints.digits.heads", 4, "checkpoints.digits.heads", "unknown key"),
    ("checkpoints.digits.layout", "bert", "checkpoints.digits.layout", "'auto'"),
    ("checkpoints.grokking", {"path": "a", "files": ["b"]}, "checkpoints.grokking", "experiment"),
    ("figures.checkpoints", {"digit": {}}, "figures.checkpoints.digit", "digits"),
    ("samples.digits_unet.experiment", "unet", "samples.digits_unet.experiment", "digits_vgg"),
    ("samples.digits_unet.experiment", "grokking", "samples.digits_unet.experiment", "sample"),
    ("samples.digits_unet.run_seed", 7, "samples.digits_unet.run_seed", "seeds = [0, 1]"),
    ("samples.digits_unet.num_images", 0, "samples.digits_unet.num_images", "greater than 0"),
    ("samples.digits_unet.noise_seed", -1, "samples.digits_unet.noise_seed", "equal to 0"),
    ("samples.digits_unet.seed", 0, "samples.digits_unet.seed", "run_seed"),
    ("experiments.grokking.task", ["addition"], "experiments.grokking.task", "['addition']"),
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
        "checkpoints",
        "checkpoints.digits.path",
        "checkpoints.digits.files",
        "samples.digits_unet.run_seed",
        "spectra.mass",
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


def test_settings_of_the_file_hold_where_an_experiment_does_not_override_them(tmp_path):
    yaml = YAML(typ="safe")
    data = yaml.load(TINY)
    data["experiments"]["grokking"]["pruning"] = {"keep_fractions": [0.25]}
    yaml.dump(data, tmp_path / "params.yaml")
    params = load_params(tmp_path / "params.yaml")
    assert params.experiments["grokking"].pruning.keep_fractions == (0.25,)
    assert params.experiments["digits_vgg"].pruning == params.pruning
    samples = params.experiments["grokking"].pruning.batch_norm_samples
    assert samples == params.pruning.batch_norm_samples


def test_fault_of_a_task_or_of_the_file_is_reported_once(problems_with):
    (problem,) = problems_with({"tasks.digits.num_epochs": 0})
    assert problem.startswith("tasks.digits.num_epochs: got 0")
    (problem,) = problems_with({"spectra.mass": 1.0})
    assert problem.startswith("spectra.mass: got 1.0")


def test_key_that_is_a_number_is_named_beside_other_errors(tmp_path):
    yaml = YAML(typ="safe")
    data = yaml.load(TINY)
    data["experiments"][7] = {"task": "addition", "dataset": "addition"}
    data["figures"]["problems"] = ["absent"]
    data["samples"]["digits_unet"]["experiment"] = "grokking"
    yaml.dump(data, tmp_path / "params.yaml")
    with pytest.raises(ParamsError) as error:
        load_params(tmp_path / "params.yaml")
    places = {problem.split(":")[0] for problem in error.value.problems}
    assert {"experiments.7", "figures.problems", "samples.digits_unet.experiment"} <= places, places


def test_ticket_that_keeps_no_weight_is_an_error_before_anything_trains(problems_with):
    (problem,) = problems_with({"tickets.digits_random.density": 1e-9})
    expected = r"tickets\.digits_random\.density: got 1e-09, which keeps none of the \d+ weights"
    assert re.match(expected, problem)


DIFFUSION = {
    "kind": "diffusion",
    "num_steps": 1000,
    "beta_start": 1e-5,
    "beta_end": 5e-3,
    "sigmoid_range": 6.0,
}
UNET = {"kind": "unet", "channels": [8, 16, 32, 64], "embedding_width": 64, "fourier_scale": 30.0}
TEXT = {
    "kind": "reference_text",
    "tokenizer": {"kind": "byte_pairs", "num_tokens": 512},
    "length": 64,
    "num_train_sequences": 1000,
    "num_validation_sequences": 100,
    "validation_fraction": 0.1,
    "seed": 0,
}
IMAGES = {"image_size": 32, "validation_fraction": 0.1, "seed": 0}
# Other problems, put into the tiny preset as a whole: all of them are valid.
GENERATION = {"tasks.digits.problem": DIFFUSION, "tasks.digits.model": UNET}
LANGUAGE = {
    "datasets.text": TEXT,
    "tasks.addition.batch_size": 16,
    "tasks.addition.problem": {"kind": "language_modelling"},
    "experiments.grokking.dataset": "text",
}
WIKITEXT = {key: TEXT[key] for key in TEXT if key not in ("validation_fraction", "seed")}
WIKITEXT |= {"kind": "wikitext103", "lower_cased": True}
VALID = [
    GENERATION,
    LANGUAGE,
    LANGUAGE | {"datasets.text": WIKITEXT},
    *({"datasets.images": IMAGES | {"kind": kind}} for kind in ("cifar10", "mnist", "digits")),
    {"datasets.images": IMAGES | {"kind": "cifar10", "permuted_labels": True}},
]


@pytest.mark.parametrize("changes", VALID)
def test_every_kind_can_be_declared(problems_with, changes):
    assert problems_with(changes) == []


BAD_KINDS = [
    (GENERATION, {"tasks.digits.model": UNET | {"channels": [8, 18]}}, "multiple of 4"),
    (GENERATION, {"tasks.digits.model": UNET | {"embedding_width": 7}}, "multiple of 2"),
    (GENERATION, {"tasks.digits.model": UNET | {"fourier_scale": 0.0}}, "greater than 0"),
    (GENERATION, {"tasks.digits.model": UNET | {"channels": [8] * 6}}, "unet of 6 levels reads no"),
    (GENERATION, {"tasks.digits.problem": DIFFUSION | {"beta_end": 1e-6}}, "is not below beta_end"),
    (GENERATION, {"tasks.digits.problem": DIFFUSION | {"num_steps": 1}}, "equal to 2"),
    (GENERATION, {"tasks.digits.problem": {"kind": "diffuse"}}, "'diffusion'"),
    (GENERATION, {"tasks.digits.problem": DIFFUSION | {"betas": 3}}, "unknown key"),
    (GENERATION, {"tasks.digits.problem": {"kind": "classification"}}, "expected diffusion"),
    ({}, {"tasks.digits.problem": DIFFUSION}, "expected classification"),
    (LANGUAGE, {"tasks.addition.problem": {"kind": "classification"}}, "modelling on text"),
    (LANGUAGE, {"experiments.grokking.dataset": "addition"}, "language_modelling on text"),
    (LANGUAGE, {"tasks.addition.batch_size": 1001}, "less than the 1000 samples"),
    (LANGUAGE, {"datasets.text": TEXT | {"length": 0}}, "datasets.text.length"),
    (LANGUAGE, {"datasets.text": TEXT | {"validation_fraction": 1.0}}, "less than 1"),
    (LANGUAGE, {"datasets.text": TEXT | {"tokenizer": {"kind": "words"}}}, "text.tokenizer"),
    (LANGUAGE, {"datasets.text": WIKITEXT | {"seed": 0}}, "datasets.text.seed"),
    ({}, {"datasets.digits": IMAGES | {"kind": "cifar10", "image_size": 31}}, "31"),
    ({}, {"datasets.digits": IMAGES | {"kind": "cifar10", "image_size": 40}}, "reads images of 32"),
    ({}, {"datasets.digits": IMAGES | {"kind": "mnist", "validation_fraction": 0.0}}, "0.0001"),
    ({}, {"datasets.digits": IMAGES | {"kind": "mnist", "seed": -1}}, "-1"),
    ({}, {"datasets.digits": IMAGES | {"kind": "digits", "permuted_labels": 1}}, "boolean"),
]


@pytest.mark.parametrize(("base", "change", "expected"), BAD_KINDS)
def test_bad_value_of_a_kind_is_refused(problems_with, base, change, expected):
    problems = problems_with(base | change)
    assert any(expected in line for line in problems), problems
