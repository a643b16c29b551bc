"""The stage resolve: what it writes of a file with a series of weight decays."""

import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from stages.resolve import main

from specflow import paths
from specflow.params.errors import ParamsError

TINY = Path(__file__).parents[1] / "presets" / "tiny.yaml"


@pytest.fixture
def collected(workplace):
    """A function that resolves the tiny preset with a series and returns what is collected."""

    def resolve(**figures):
        yaml = YAML()
        raw = yaml.load(TINY)
        for name, decay in (("none", 0.0), ("strong", 0.1)):
            other = {"optimizer": {"weight_decay": decay}}
            raw["experiments"][name] = {"task": "digits", "dataset": "digits"} | other
        raw["figures"] |= figures
        yaml.dump(raw, paths.PARAMS)
        main()
        return json.loads(paths.COLLECT_CONFIG.read_text())["experiments"]

    return resolve


def test_variants_of_a_series_are_not_collected_in_full(collected):
    experiments = collected()
    assert experiments["digits_vgg"]["matrices"]
    assert experiments["digits_vgg"]["pairs"]
    for name in ("none", "strong"):
        assert experiments[name] == {"seeds": [0, 1], "matrices": [], "pairs": []}


def test_a_variant_that_figures_name_is_collected_in_full(collected):
    experiments = collected(problems=["grokking", "strong"])
    assert experiments["strong"]["matrices"]
    assert experiments["none"]["matrices"] == []


def test_files_of_what_is_no_longer_declared_go(collected):
    collected()
    assert paths.experiment_config("strong", "training").exists()
    paths.PARAMS.write_text(TINY.read_text())
    main()
    assert not paths.experiment_config("strong", "training").exists()


def test_ticket_that_keeps_no_weight_is_an_error_before_anything_trains(workplace):
    text = TINY.read_text()
    assert text.count("density: 0.2") >= 1
    paths.PARAMS.write_text(text.replace("density: 0.2", "density: 1e-9", 1))
    with pytest.raises(
        ParamsError, match=r"\.density: got 1e-09, which keeps none of the \d+ weights"
    ):
        main("--check")
