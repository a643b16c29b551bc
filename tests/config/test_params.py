import re
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides
from tests.config.bad_params import BAD, BAD_KINDS, MISSING, VALID
from tests.config.conftest import tiny_with

from specflow.config.params import load_params
from specflow.section_errors import ParamsError

ROOT = Path(__file__).parents[2]
PRESETS = [ROOT / "params.yaml", *sorted((ROOT / "presets").glob("*.yaml"))]


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.name)
def test_shipped_file_is_valid(path):
    params = load_params(path)
    assert params.experiments


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.name)
def test_dvc_leaves_the_lines_that_it_does_not_change(tmp_path, path):
    """`dvc exp run -S` writes the whole file anew."""
    copy = tmp_path / "params.yaml"
    copy.write_text(path.read_text())
    apply_overrides(copy, ["figures.dpi=77"])
    old, new = path.read_text().splitlines(), copy.read_text().splitlines()
    changed = [pair for pair in zip(old, new, strict=True) if pair[0] != pair[1]]
    assert len(changed) == 1, changed
    assert "dpi" in changed[0][0]


def test_experiment_overrides_its_task_key_by_key():
    params = load_params(ROOT / "presets" / "tiny.yaml")
    task, experiment = params.tasks["addition"], params.experiments["grokking"]
    assert task.optimizer.weight_decay == 0.0
    assert experiment.optimizer.weight_decay == 1.0
    assert experiment.optimizer.betas == task.optimizer.betas == (0.9, 0.98)


@pytest.mark.parametrize(("path", "value", "expected", "named"), BAD)
def test_bad_value_is_named_with_what_is_expected(problems_with, path, value, expected, named):
    problems = problems_with({path: value})
    assert any(p.split(":")[0] == named and expected in p for p in problems), problems


def test_connection_from_full_batches_is_refused(problems_with):
    changes = {
        "tasks.addition.checkpoints.split_steps": [100],
        "connections.digits_vgg.experiment": "grokking",
        "connections.digits_vgg.split_steps": [100],
        "connections.digits_vgg.perturbation": None,
    }
    (problem,) = problems_with(changes)
    assert problem.startswith("connections.digits_vgg.experiment: grokking trains on full batches")


@pytest.mark.parametrize("path", MISSING)
def test_missing_key_is_named(problems_with, path):
    problems = problems_with({}, remove=path)
    assert any(p.startswith(path) and "missing" in p for p in problems), problems


def test_all_errors_are_reported_at_once(problems_with):
    problems = problems_with(
        {
            "figures.dpi": "x",
            "tasks.addition.num_epochs": "60",
            "experiments.grokking.optimizer.weight_decay": -1.0,
            "experiments.digits_vgg.checkpoints": {"split_steps": [7]},
            "connections.digits_vgg.num_points": 1,
        }
    )
    paths = [problem.split(":")[0] for problem in problems]
    assert paths == [
        "tasks.addition.num_epochs",
        "experiments.grokking.optimizer.weight_decay",
        "figures.dpi",
        "connections.digits_vgg.num_points",
        "experiments.digits_vgg.checkpoints.split_steps",
        "tickets.digits_magnitude.rewind_step",
        "tickets.digits_random.rewind_step",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "no such file"),
        ("a: [", "not valid YAML"),
        ("a: 1\na: 2\n", "not valid YAML"),
        ("- 1", "expected sections"),
    ],
)
def test_missing_or_broken_file_is_an_error_without_traceback(tmp_path, text, expected):
    path = tmp_path / "params.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ParamsError, match=expected):
        load_params(path)


def test_faulty_yaml_is_named_with_its_place(tmp_path):
    (tmp_path / "params.yaml").write_text("a: 1\nb: [2\nc: 3\n")
    with pytest.raises(ParamsError) as raised:
        load_params(tmp_path / "params.yaml")
    assert f'in "{tmp_path / "params.yaml"}", line 3' in str(raised.value)
    assert "unicode string" not in str(raised.value)


@pytest.mark.parametrize(
    ("key", "given"), [("num_epochs", "num_epohcs"), ("batch_size", "batchsize")]
)
def test_misspelt_key_is_one_error_that_names_the_right_one(problems_with, key, given):
    path = "tasks.addition"
    value = {"num_epochs": 1, "batch_size": "full"}[key]
    (problem,) = problems_with({f"{path}.{given}": value}, remove=f"{path}.{key}")
    assert problem.startswith(f"{path}.{given}: unknown key")
    assert f"(did you mean {key}?)" in problem


def test_unlike_key_beside_a_missing_one_are_two_errors(problems_with):
    """The negative control."""
    problems = problems_with({"tasks.addition.colour": 1}, remove="tasks.addition.num_epochs")
    assert sorted(problem.split(":")[0] for problem in problems) == [
        "tasks.addition.colour",
        "tasks.addition.num_epochs",
    ]


def test_settings_of_the_file_hold_where_an_experiment_does_not_override_them(load):
    params = load({"experiments.grokking.pruning": {"keep_fractions": [0.25]}})
    assert params.experiments["grokking"].pruning.keep_fractions == (0.25,)
    assert params.experiments["digits_vgg"].pruning == params.pruning
    samples = params.experiments["grokking"].pruning.batch_norm_samples
    assert samples == params.pruning.batch_norm_samples


def test_fault_of_a_task_or_of_the_file_is_reported_once(problems_with):
    (problem,) = problems_with({"tasks.digits.num_epochs": 0})
    assert problem.startswith("tasks.digits.num_epochs: got 0")
    (problem,) = problems_with({"spectra.mass": 1.0})
    assert problem.startswith("spectra.mass: got 1.0")


def test_fault_of_an_experiment_is_named_beside_one_of_its_task(problems_with):
    experiment = {"task": "addition", "dataset": "addition"}
    changes = {"tasks.addition.num_epochs": 0, "experiments.Upper": experiment}
    paths = [problem.split(":")[0] for problem in problems_with(changes)]
    assert paths == ["tasks.addition.num_epochs", "experiments.Upper"]


def test_matrix_and_pair_that_a_network_does_not_have_are_both_named(problems_with):
    problems = problems_with({"figures.experiments": {"digits_vgg": {"matrix": "x", "pair": "y"}}})
    assert [problem.partition("; expected one of ")[0] for problem in problems] == [
        "figures.experiments.digits_vgg.matrix: got 'x'",
        "figures.experiments.digits_vgg.pair: got 'y'",
    ]


def test_key_that_is_a_number_is_named_beside_other_errors(problems_with):
    experiments = tiny_with({})["experiments"] | {7: {"task": "addition", "dataset": "addition"}}
    problems = problems_with(
        {
            "experiments": experiments,
            "figures.problems": ["absent"],
            "samples.digits_unet.experiment": "grokking",
        }
    )
    places = {problem.split(":")[0] for problem in problems}
    assert {"experiments.7", "figures.problems", "samples.digits_unet.experiment"} <= places, places


def test_ticket_that_keeps_no_weight_is_an_error_before_anything_trains(problems_with):
    (problem,) = problems_with({"tickets.digits_random.density": 1e-9})
    expected = r"tickets\.digits_random\.density: got 1e-09, which keeps none of the \d+ weights"
    assert re.match(expected, problem)


@pytest.mark.parametrize("changes", VALID)
def test_every_kind_can_be_declared(problems_with, changes):
    assert problems_with(changes) == []


@pytest.mark.parametrize(("base", "change", "expected"), BAD_KINDS)
def test_bad_value_of_a_kind_is_refused(problems_with, base, change, expected):
    problems = problems_with(base | change)
    assert any(expected in line for line in problems), problems


SLIPS = {
    "tasks.addition.num_epochs": 10**18,
    "tasks.addition.model.num_blocks": 10**7,
    "tasks.addition.model.d_model": 10**9,
    "tasks.addition.model.num_heads": 10**30,
    "tasks.addition.checkpoints.first_epoch_points": 10**9,
    "tasks.addition.checkpoints.split_steps": [10**15],
    "tasks.addition.checkpoints.spacing": {"kind": "log", "count": 10**9},
    "tasks.digits.model.hidden": [8] * 2000,
    "connections.digits_vgg.num_points": 10**12,
    "connections.digits_vgg.num_branches": 10**12,
    "samples.digits_unet.num_images": 10**12,
    "datasets.addition.modulus": 10**12,
    "spectra.diagonal_length": 10**18,
    "pruning.batch_norm_samples": 10**18,
    "figures.dpi": 10**9,
}


@pytest.mark.parametrize("path", SLIPS)
def test_what_nothing_can_compute_is_refused_at_once(problems_with, path):
    problems = problems_with({path: SLIPS[path]})
    assert any(p.startswith(f"{path}") and "expected" in p for p in problems), problems


def test_checkpoints_of_every_epoch_of_very_many_are_refused(problems_with):
    changes = {"tasks.addition.num_epochs": 10**9}
    (problem,) = problems_with(changes)
    assert problem.startswith("tasks.addition: a checkpoint every ")


def deep(levels):
    return "\n".join(f"{' ' * level}a:" for level in range(levels))


BOMB = "a0: &a0 [x, x]\n" + "\n".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 40))


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (BOMB, "more than 1000000 values, aliases followed"),
        (deep(800), "more than 50 levels"),
        ("- " * 100_000, "more than 50 levels"),
        ("[" * 100_000, "more than 50 levels"),
        ("a: " + "x" * 2**23, "bytes; expected at most"),
        ("seeds: &a [*a]", "seeds.*got \\[\\["),
    ],
    ids=["aliases", "mappings", "dashes", "brackets", "long", "itself"],
)
def test_file_that_would_fill_memory_or_stack_is_refused(tmp_path, text, match):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(ParamsError, match=match) as error:
        load_params(path)
    assert len(str(error.value)) < 2000


def test_values_are_cut_and_errors_counted(problems_with):
    long = {"tasks.addition.num_epochs": ["x" * 10**5] * 1000}
    assert all(len(problem) < 500 for problem in problems_with(long))
    error = ParamsError("params.yaml", [f"key{i}: wrong" for i in range(73)])
    assert "params.yaml has 73 errors" in str(error)
    assert "key49" in str(error)
    assert str(error).endswith("and 23 more")
    assert "key50" not in str(error)
