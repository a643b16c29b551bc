import pytest
from tests.studies.made_up import write_runs, write_spectra

from specflow import paths
from specflow.hdf5 import BrokenFileError
from specflow.studies.experiments.collected import Collected
from specflow.studies.experiments.tables import tables as tables_of


@pytest.fixture
def runs(workplace):
    seeds = write_runs()
    for name, own in seeds.items():
        for seed in own:
            write_spectra(paths.spectra(name, seed), seed, steps=(0, 4))
    return {name: Collected(seeds=tuple(own), matrices=(), pairs=()) for name, own in seeds.items()}


def test_histories_have_every_metric_baselines_too(runs):
    history = tables_of(runs)["history"]
    assert list(history) == ["experiment", "seed", "step", "split", "metric", "value"]
    assert history.iloc[:4].to_numpy().tolist() == [
        ["run", 0, step, "train", metric, value]
        for metric, value in (("loss", 1.0), ("loss_baseline", 9.0))
        for step in (0, 4)
    ]
    assert history.iloc[-1].tolist() == ["run", 1, 4, "validation", "loss", 3.0]


def test_prunings_are_told_apart_and_leave_out_the_full_model_and_baselines(runs):
    pruning = tables_of(runs)["pruning"]
    columns = ["step", "split", "keep", "keep_fraction", "metric", "value"]
    assert list(pruning) == ["experiment", "seed", *columns]
    assert pruning[pruning["seed"] == 1][columns].to_numpy().tolist() == [
        [step, "train", keep, fraction, "loss", value]
        for keep in ("top", "bottom")
        for fraction in (0.25, 0.5)
        for step, value in ((0, 3.0), (4, 5.0))
    ]


def test_missing_results_are_named(runs):
    paths.pruning("run", 1).unlink()
    with pytest.raises(BrokenFileError, match=r"run/seed1/pruning\.h5: there is no such file"):
        tables_of(runs)
    paths.trajectory("run", 1).write_bytes(b"")
    with pytest.raises(BrokenFileError, match=r"run/seed1/trajectory\.h5: broken"):
        tables_of(runs)


def test_without_experiments_the_tables_are_empty():
    empty = tables_of({})
    assert {"history", "pruning", "spectra"} <= set(empty)
    assert not any(map(len, empty.values()))
