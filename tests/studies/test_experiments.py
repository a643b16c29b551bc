import numpy as np
import pytest
from tests.sealed import edited
from tests.studies.made_up import write_runs

from specflow import paths
from specflow.errors import BrokenFileError
from specflow.hdf5 import write
from specflow.studies.experiments.study import CollectedExperiment, ExperimentParams
from specflow.studies.shown import Chosen

METRICS = (("loss", "loss"), ("error", "share of wrong answers"))


@pytest.fixture
def runs(workplace):
    write_runs()
    own = {"matrices": Chosen(), "pairs": Chosen(), "metrics": METRICS}
    return {"run": CollectedExperiment(seeds=(0, 1), **own)}


def test_histories_have_every_metric_baselines_too(runs):
    history = ExperimentParams.tables(runs)["history"]
    assert list(history) == ["experiment", "seed", "step", "split", "metric", "value"]
    assert history.iloc[:4].to_numpy().tolist() == [
        ["run", 0, step, "train", metric, value]
        for metric, value in (("loss", 1.0), ("loss_baseline", 9.0))
        for step in (0, 4)
    ]
    assert history.iloc[-1].tolist() == ["run", 1, 4, "validation", "loss", 3.0]


def test_prunings_are_told_apart_and_leave_out_the_full_model_and_baselines(runs):
    pruning = ExperimentParams.tables(runs)["pruning"]
    columns = ["step", "split", "keep", "keep_fraction", "metric", "value"]
    assert list(pruning) == ["experiment", "seed", *columns]
    assert pruning[pruning["seed"] == 1][columns].to_numpy().tolist() == [
        [step, "train", keep, fraction, "loss", value]
        for keep in ("top", "bottom")
        for fraction in (0.25, 0.5)
        for step, value in ((0, 3.0), (4, 5.0))
    ]


def test_the_full_model_is_there_once_more_where_it_was_measured_as_pruned_ones(runs):
    with edited(paths.pruning("run", 1)) as file:
        write(file, "reestimated/1.0/train/loss", np.array([7.0, 8.0]))
    pruning = ExperimentParams.tables(runs)["pruning"]
    found = pruning[pruning["keep"] == "reestimated"]
    assert found.drop(columns="experiment").to_numpy().tolist() == [
        [1, 0, "train", "reestimated", 1.0, "loss", 7.0],
        [1, 4, "train", "reestimated", 1.0, "loss", 8.0],
    ]


def test_metrics_say_what_people_call_them(runs):
    metrics = ExperimentParams.tables(runs)["metrics"]
    assert list(metrics) == ["experiment", "metric", "label"]
    expected = [["run", "loss", "loss"], ["run", "error", "share of wrong answers"]]
    assert metrics.to_numpy().tolist() == expected


def test_missing_results_are_named(runs):
    paths.pruning("run", 1).unlink()
    with pytest.raises(BrokenFileError, match=r"run/seed1/pruning\.h5: there is no such file"):
        ExperimentParams.tables(runs)
    paths.trajectory("run", 1).write_bytes(b"")
    with pytest.raises(BrokenFileError, match=r"run/seed1/trajectory\.h5: truncated"):
        ExperimentParams.tables(runs)
