import pytest

from specflow.params.declared_suites import DeclaredSuite
from specflow.params.resolve import read_config, write_config

SUITE = {
    "path": "models",
    "files": ["step*"],
    "pairs": [{"from": "*.v", "to": "*.o"}],
    "spectra": {"diagonal_length": 20, "score_length": 10, "mass": 0.9},
}


@pytest.mark.parametrize("key", ["path", "files", "spectra"])
def test_missing_key_is_named(problems_with, key):
    (problem,) = problems_with({}, remove=f"suites.digits.{key}")
    assert problem == f"suites.digits.{key}: missing; expected a value"


def test_section_itself_is_required(problems_with):
    problems = problems_with({}, remove="suites")
    assert "suites: missing; expected a value" in problems


def test_figure_of_an_unknown_suite_is_refused(problems_with):
    (problem,) = problems_with({"figures.suites": {"digit": {"scale": "log"}}})
    assert problem == "figures.suites.digit: got 'digit'; expected one of digits"


def test_figure_of_a_suite_takes_a_scale_and_a_matrix(problems_with):
    assert problems_with({"figures.suites": {"digits": {"scale": "log", "matrix": "a"}}}) == []
    (problem,) = problems_with({"figures.suites": {"digits": {"scale": "loglog"}}})
    assert problem.startswith("figures.suites.digits.scale: got 'loglog'; expected")


def test_section_survives_json(tmp_path):
    section = DeclaredSuite.model_validate(SUITE)
    write_config(tmp_path / "suite.json", section)
    assert read_config(tmp_path / "suite.json", DeclaredSuite) == section
