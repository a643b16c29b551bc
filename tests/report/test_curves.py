import pytest
from tests.report import made_up

from specflow import paths
from specflow.frames import Tables
from specflow.report.curves import panels_of, values_by_run


@pytest.fixture
def tables(workplace) -> Tables:
    made_up.write_tables(paths.TABLES)
    return Tables(paths.TABLES)


def contents(tables, group, name, source=None):
    return [panel.content for panel in panels_of(group, name, tables, source)]


def test_curves_of_an_experiment_are_its_runs_in_the_metrics_that_figures_show(tables):
    (loss,) = contents(tables, "experiments", "digits")
    assert (loss["title"], loss["x"], loss["points"]) == ("loss", "step", [0, 36])
    assert loss["curves"] == [
        {"series": "train", "run": "seed 0", "values": [2.5, 0.5]},
        {"series": "train", "run": "seed 1", "values": [None, 0.25]},
        {"series": "validation", "run": "seed 0", "values": [None, 0.75]},
    ]


def test_metrics_have_the_names_and_the_order_of_figures(tables):
    panels = contents(tables, "tickets", "digits_magnitude", "digits")
    assert [panel["title"] for panel in panels] == ["loss", "share of errors"]
    assert [panel["curves"][0]["values"] for panel in panels] == [[0.75], [0.125]]


def test_barriers_are_means_over_branches_of_whole_unperturbed_networks(tables):
    (barrier,) = contents(tables, "connections", "digits")
    assert (barrier["x"], barrier["points"]) == ("split step", [0, 36])
    assert barrier["curves"] == [
        {"series": "within a trunk", "run": "trunks 0", "values": [1.0, 0.01]},
        {"series": "across trunks", "run": "trunks 0-1", "values": [None, 2.25]},
    ]


def test_quantities_of_checkpoints_are_means_over_always_the_same_matrices_or_pairs(tables):
    (alignment,) = contents(tables, "checkpoints", "public")
    assert alignment["curves"] == [{"series": "", "run": "seed 0", "values": [None, 0.5]}]
    assert alignment["title"].endswith(", mean over pairs, where all are defined")
    assert alignment["points"] == [0, 120]


def test_kinds_without_runs_have_no_curves(tables):
    assert panels_of("samples", "images", tables) == panels_of("distances", "ends", tables) == []
    assert values_by_run("samples", []) is None


def test_values_by_run_are_the_last_of_each_and_barriers_of_every_split(tables):
    def shown(group, name, source=None):
        values = values_by_run(group, panels_of(group, name, tables, source))
        return {run: dict(row) for run, row in values.iterrows()}

    assert shown("experiments", "digits") == {
        "seed 0": {"train loss": "0.5", "validation loss": "0.75"},
        "seed 1": {"train loss": "0.25", "validation loss": "—"},
    }
    assert shown("tickets", "digits_magnitude", "digits") == {
        "seed 0": {"validation loss": "0.75", "validation share of errors": "0.125"}
    }
    assert shown("connections", "digits") == {
        "across trunks, trunks 0-1": {"split 0": "—", "split 36": "2.25"},
        "within a trunk, trunks 0": {"split 0": "1", "split 36": "0.01"},
    }
