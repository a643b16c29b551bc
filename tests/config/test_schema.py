"""The schema that editors check params.yaml with."""

import json

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML
from tests.config import bad_params
from tests.config.conftest import tiny_with
from tests.config.test_params import PRESETS, ROOT

from specflow.config.schema import FILE, schema, schema_text

SCHEMA = Draft202012Validator(schema())


def test_file_is_what_the_models_say():
    assert (ROOT / FILE).read_text("utf-8") == schema_text(), f"run: specflow schema -o {FILE}"
    Draft202012Validator.check_schema(json.loads(schema_text()))


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.name)
def test_every_preset_names_the_schema_and_is_valid_by_it(path):
    first = path.read_text("utf-8").partition("\n")[0]
    named = first.removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / named).resolve() == ROOT / FILE
    assert not list(SCHEMA.iter_errors(YAML(typ="safe").load(path)))


@pytest.mark.parametrize("bad", bad_params.BAD_ALONE, ids=lambda bad: bad[0])
def test_value_that_is_bad_by_itself_is_refused(bad):
    assert not SCHEMA.is_valid(tiny_with({bad[0]: bad[1]}))


@pytest.mark.parametrize(("base", "change", "expected"), bad_params.BAD_KINDS_ALONE)
def test_value_of_a_kind_that_is_bad_by_itself_is_refused(base, change, expected):
    assert SCHEMA.is_valid(tiny_with(base))
    assert not SCHEMA.is_valid(tiny_with(base | change))


@pytest.mark.parametrize("changes", bad_params.VALID)
def test_every_kind_is_accepted(changes):
    assert SCHEMA.is_valid(tiny_with(changes))


@pytest.mark.parametrize(
    "override",
    [
        {"optimizer": {"weight_decay": 0.5}},
        {"checkpoints": {"spacing": {"epochs": 50}}},
        {"optimizer": {"kind": "sgd", "learning_rate": 0.1, "momentum": 0.0, "weight_decay": 0.0}},
        {"spectra": {"mass": 0.5}, "pruning": {"keep_fractions": [0.25]}},
    ],
)
def test_experiment_may_name_a_part_of_what_its_task_has(override):
    experiment = {"task": "addition", "dataset": "addition"}
    assert SCHEMA.is_valid(tiny_with({"experiments.grokking": experiment | override}))
    assert not SCHEMA.is_valid(tiny_with({"experiments.grokking": override}))


def test_checkpoints_have_the_settings_of_the_file_unless_they_say_otherwise():
    assert SCHEMA.is_valid(tiny_with({"checkpoints.digits": {"path": "a", "files": ["b"]}}))
    whole = {"path": "a", "files": [{"path": "b", "step": 3}], "spectra": {"mass": 0.5}}
    assert SCHEMA.is_valid(tiny_with({"checkpoints.digits": whole}))


@pytest.mark.parametrize("key", ["seeds", "tickets", "tasks.digits.num_epochs"])
def test_missing_key_is_refused(key):
    assert not SCHEMA.is_valid(tiny_with({}, remove=key))
