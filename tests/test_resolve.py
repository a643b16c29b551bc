"""The stage resolve: what it writes of a file with a series of weight decays, and what goes."""

import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from stages.resolve import main

from specflow import paths
from specflow.config.errors import ParamsError

ROOT = Path(__file__).parents[1]
TINY = ROOT / "presets" / "tiny.yaml"


@pytest.fixture
def project(workplace):
    """A folder with the code and without params.yaml."""
    for name in ("src", "stages"):
        (workplace / name).symlink_to(ROOT / name)


@pytest.fixture
def resolve(project):
    """A function that resolves the tiny preset with a series and returns what is collected."""

    def run(**figures):
        yaml = YAML()
        raw = yaml.load(TINY)
        for name, decay in (("none", 0.0), ("strong", 0.1)):
            other = {"optimizer": {"weight_decay": decay}}
            raw["experiments"][name] = {"task": "digits", "dataset": "digits"} | other
        raw["figures"] |= figures
        yaml.dump(raw, paths.PARAMS)
        main()
        return json.loads(paths.CONFIG.read_text())["collect"]["all"]["entries"]["experiments"]

    return run


def test_variants_of_a_series_are_not_collected_in_full(resolve):
    experiments = resolve()
    assert experiments["digits_vgg"]["matrices"]
    assert experiments["digits_vgg"]["pairs"]
    for name in ("none", "strong"):
        assert experiments[name]["matrices"] == experiments[name]["pairs"] == []


def test_a_variant_that_figures_name_is_collected_in_full(resolve):
    experiments = resolve(problems=["grokking", "strong"])
    assert experiments["strong"]["matrices"]
    assert experiments["none"]["matrices"] == []


def test_results_of_what_is_declared_no_more_go(resolve):
    resolve()
    gone, stay = (
        [paths.trajectory(name, 0).parent, paths.spectra(name, 0).parent]
        for name in ("strong", "grokking")
    )
    for folder in (*gone, *stay):
        folder.mkdir(parents=True)
    paths.PARAMS.write_text(TINY.read_text())
    main()
    assert [folder for folder in (*gone, *stay) if folder.exists()] == stay
    assert "strong" not in paths.CONFIG.read_text()


def test_ticket_that_keeps_no_weight_is_an_error_before_anything_is_written(project):
    text = TINY.read_text()
    assert text.count("density: 0.2") >= 1
    paths.PARAMS.write_text(text.replace("density: 0.2", "density: 1e-9", 1))
    with pytest.raises(
        ParamsError, match=r"\.density: got 1e-09, which keeps none of the \d+ weights"
    ):
        main()
    assert not paths.CONFIG.exists()


def test_check_writes_nothing(project):
    paths.PARAMS.write_text(TINY.read_text())
    main("--check")
    assert not paths.CONFIG.exists()
