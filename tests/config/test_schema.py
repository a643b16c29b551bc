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
def test_what_is_valid_is_accepted(changes):
    assert SCHEMA.is_valid(tiny_with(changes))


@pytest.mark.parametrize("override", bad_params.OVERRIDES)
def test_override_is_none_without_the_names_of_task_and_dataset(override):
    assert not SCHEMA.is_valid(tiny_with({bad_params.GROKKING: override}))


@pytest.mark.parametrize("key", bad_params.MISSING)
def test_missing_key_is_refused(key):
    assert not SCHEMA.is_valid(tiny_with({}, remove=key))
