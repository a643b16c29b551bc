"""Names and keys of other types than text: errors in words, not tracebacks."""

import pytest
from ruamel.yaml import YAML
from tests.params.conftest import TINY

from specflow.params.errors import ParamsError
from specflow.params.file import load_params


def test_name_that_is_a_list_is_an_error_without_traceback(problems_with):
    problems = problems_with({"experiments.grokking.task": ["addition"]})
    assert any(p.startswith("experiments.grokking.task: got ['addition']") for p in problems)


def test_key_that_is_a_number_is_named_beside_other_errors(tmp_path):
    yaml = YAML(typ="safe")
    data = yaml.load(TINY)
    data["experiments"][7] = {"task": "addition", "dataset": "addition"}
    data["figures"]["problems"] = ["absent"]
    data["samples"]["digits_unet"]["experiment"] = "grokking"
    path = tmp_path / "params.yaml"
    yaml.dump(data, path)
    with pytest.raises(ParamsError) as error:
        load_params(path)
    places = {problem.split(":")[0] for problem in error.value.problems}
    assert {"experiments.7", "figures.problems", "samples.digits_unet.experiment"} <= places, places
