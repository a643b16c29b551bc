"""Reading files of measures, and what the metrics file says of each kind of experiment."""

import h5py
import numpy as np
import pandas as pd
import pytest

from specflow.hdf5 import write
from specflow.spectra import QUANTITIES
from specflow.studies.collect import summarize
from specflow.studies.tables import curves_in, entries_of, spread


@pytest.fixture
def group(tmp_path):
    with h5py.File(tmp_path / "curves.h5", "w") as file:
        for curve in ("full/1.0", "top/0.5"):
            for metric in ("loss", "error", "loss_baseline", "baseline"):
                write(file, f"{curve}/train/{metric}", [0.0])
        yield file


def test_curves_come_by_keep_and_leave_baselines_out(group):
    found = curves_in(group, ("top", "absent", "full"))
    assert found == [
        (keep, fraction, "train", metric)
        for keep, fraction in (("top", "0.5"), ("full", "1.0"))
        for metric in ("baseline", "error", "loss")
    ]


def test_entries_come_by_depth_whatever_slashes_their_names_have(group):
    for depth, name in enumerate(("z", "b/c", "b", "b/c/d", "a")):
        group.require_group(f"matrices/{name}").attrs["depth"] = depth
        write(group, f"matrices/{name}/effective_rank", [0.0])
    entries = entries_of(group, "matrices")
    assert list(entries) == ["z", "b/c", "b", "b/c/d", "a"]
    assert entries["b/c"].name == "/matrices/b/c"
    assert entries_of(group, "pairs") == {}


NAMES = {
    "experiments": ["run"],
    "connections": ["line"],
    "tickets": ["won"],
    "samples": [],
    "checkpoints": ["theirs"],
}
STEPS = (0, 4, 10)
ABOUT = ["connection", "relation", "trunks", "split_step", "scale", "branches"]
PATHS = pd.DataFrame(
    [
        *(
            ("within", "0", step, 0.0, f"0-{i}", 3.0 * i + step)
            for step in (0, 4)
            for i in range(3)
        ),
        *(("across", "0-1", 4, 0.0, str(i), 50.0) for i in range(3)),
        *(("perturbed", "0", 4, scale, "0-1", 10 * scale) for scale in (0.5, 1.0)),
    ],
    columns=[*ABOUT[1:], "barrier"],
).assign(connection="line")


def rows(**columns):
    """A row for each combination of values, of which a column may have one or several."""
    values = [one if isinstance(one, tuple) else (one,) for one in columns.values()]
    return pd.MultiIndex.from_product(values, names=columns).to_frame(index=False)


@pytest.fixture
def tables():
    """One experiment of two seeds, a connection and a ticket of it, and others' checkpoints."""
    seeds = rows(experiment="run", seed=(0, 1)), rows(experiment="theirs", seed=0)
    runs = pd.concat(seeds).merge(rows(step=STEPS), how="cross")
    spectra = runs.merge(rows(matrix=("a", "b")), how="cross")
    of_b = np.where(spectra["step"] > 0, 0.3, np.nan)  # not defined at the start
    of_a = 0.5 + 0.1 * spectra["seed"]
    pairs = runs.merge(rows(pair=("a -> b", "b -> c")), how="cross")
    ticket = {"ticket": "won", "seed": (0, 1)}
    history = rows(experiment="run", seed=(0, 1), step=STEPS, split="train", metric="error")
    pruning = {"split": "train", "keep": ("top", "bottom"), "keep_fraction": 0.5, "metric": "loss"}
    barriers = rows(split="train", keep=("full", "top"), keep_fraction=1.0, metric="loss")
    later = rows(**ticket, step=(4, 10), matrix=("a", "b", "last"))
    reached = later["matrix"].map({"a": 0.2, "b": 0.4, "last": 0.6})
    return {
        "history": history.assign(value=[0.9, 0.01, 0.0, 0.9, 0.5, 0.01]),
        "spectra": spectra.assign(
            **dict.fromkeys(QUANTITIES, 2.0)
            | {"normalized_effective_rank": of_a.where(spectra["matrix"] == "a", of_b)},
            agreement_score=0.1 * spectra["step"],
        ),
        "alignment": pairs.assign(alignment_score=0.25 + (pairs["pair"] == "b -> c") / 2),
        "pruning": rows(experiment="run", seed=(0, 1), step=10, **pruning).assign(
            value=lambda table: 1.0 + table["seed"]
        ),
        "connections": rows(connection="line", experiment="run"),
        "barriers": PATHS.merge(barriers, how="cross"),
        "endpoint_agreement": PATHS[ABOUT].assign(
            matrix="a",
            agreement_score=PATHS["relation"].map({"within": 0.5, "across": 0.1, "perturbed": 0.2}),
        ),
        # masked in matrix "a" and in "b", which has three times its entries
        "matrices": pd.DataFrame(
            [
                ("run", "a", 2, 4),
                ("run", "b", 4, 6),
                ("run", "last", 1, 100),
                ("theirs", "a", 1, 1),
            ],
            columns=["experiment", "matrix", "rows", "columns"],
        ),
        "tickets": rows(ticket="won", experiment="run"),
        "ticket_masks": rows(**ticket, matrix=("a", "b")).assign(
            density=[0.4, 0.2] * 2, masked_agreement_score=[0.5, 0.5, 0.6, 0.6]
        ),
        "ticket_history": rows(**ticket, step=(4, 10), split="validation", metric="error").assign(
            value=lambda table: 0.1 * table["seed"] + 1 / table["step"]
        ),
        "ticket_spectra": later.assign(
            agreement_score=reached.where(later["step"] == 10, 0.9),
            own_agreement_score=(2 * reached).where(later["step"] == 4, 1.0),
            normalized_effective_rank=reached / 2,
        ),
        "ticket_alignment": rows(**ticket, step=(4, 10), pair=("a -> b", "b -> c")).assign(
            alignment_score=lambda table: 0.1 * table["seed"] + 1 / table["step"]
        ),
        "ticket_pruning": rows(**ticket, step=(4, 10), **pruning).assign(
            value=lambda table: table["seed"] + table["step"]
        ),
        "audit": rows(experiment="theirs", step=4, tensor=("a", "b"), flag="zero", evidence=""),
    }


@pytest.fixture
def summary(tables):
    return summarize(tables, NAMES)


def near(mean, std):
    return pytest.approx({"mean": mean, "std": std}, rel=1e-4)


HALF = np.sqrt(0.5)  # standard deviation of two numbers whose difference is 1


def test_metrics_are_mean_and_std_over_seeds_at_the_last_step(summary):
    run = summary["experiments"]["run"]
    assert run["train/error"] == near(0.005, 0.01 * HALF)
    assert run["pruned"]["top_0.5"]["train/loss"] == near(1.5, HALF)
    assert run["train/first_step_at_99_percent"] == near(7.0, 6 * HALF)


def test_matrices_are_averaged_before_seeds_without_what_is_not_defined(summary):
    run = summary["experiments"]["run"]
    assert run["normalized_effective_rank"] == near(0.425, 0.05 * HALF)
    assert run["normalized_effective_rank_at_start"] == near(0.55, 0.1 * HALF)
    assert run["alignment_score"] == near(0.5, 0.0)


def test_halfway_is_the_last_kept_step_of_the_first_half(summary):
    assert summary["experiments"]["run"]["agreement_score_halfway"]["mean"] == 0.4


@pytest.mark.parametrize(("kind", "name"), [("experiments", "run"), ("checkpoints", "theirs")])
def test_every_quantity_is_there(summary, kind, name):
    assert set(QUANTITIES) <= set(summary[kind][name])
    assert summary[kind][name]["gini"] == near(2.0, 0.0)


def test_quantity_that_one_seed_does_not_reach_is_null(tables):
    tables["history"]["value"] = tables["history"]["value"].replace(0.01, 0.02)
    run = summarize(tables, NAMES)["experiments"]["run"]
    assert run["train/first_step_at_99_percent"] == {"mean": None, "std": None}


def test_of_one_seed_there_is_no_deviation(tables):
    tables["history"] = tables["history"][tables["history"]["seed"] == 0]
    run = summarize(tables, NAMES)["experiments"]["run"]
    assert run["train/error"] == {"mean": 0.0, "std": None}


@pytest.mark.parametrize(
    "values", [[0.05, 0.05 + 7e-18, 0.05 - 7e-18], [0.0, 0.0], [0.1 + 0.2, 0.3]]
)
def test_units_that_differ_by_rounding_alone_have_no_deviation(values):
    assert spread(pd.Series(values))["std"] == 0.0


def test_units_that_differ_in_the_last_digit_of_a_table_have_a_deviation():
    assert spread(pd.Series([0.22222, 0.22223]))["std"] == pytest.approx(7.07e-6, rel=1e-3)


def test_barriers_are_of_the_full_model_over_trunks_and_branches_of_each_group(summary):
    line = summary["connections"]["line"]
    assert list(line) == ["split_0", "split_4", "across_split_4", "perturbed_0.5", "perturbed_1"]
    assert line["split_0"]["train/loss_barrier"] == near(3.0, 3.0)
    assert line["split_4"]["train/loss_barrier"] == near(7.0, 3.0)
    assert line["split_0"]["agreement_score"] == near(0.5, 0.0)
    assert line["across_split_4"]["train/loss_barrier"] == near(50.0, 0.0)
    assert line["perturbed_0.5"]["train/loss_barrier"] == {"mean": 5.0, "std": None}
    assert line["perturbed_1"]["agreement_score"]["mean"] == 0.2


def test_ticket_has_its_last_metrics_and_agreement_of_mask_and_training(summary):
    won = summary["tickets"]["won"]
    assert won["validation/error"] == near(0.15, 0.1 * HALF)
    assert won["masked_agreement_score"] == near(0.55, 0.1 * HALF)
    assert won["agreement_score"] == near(0.4, 0.0)
    assert won["density"] == near(0.25, 0.0)  # over all weights


def test_ticket_has_what_runs_have_of_its_own(summary):
    won = summary["tickets"]["won"]
    assert won["normalized_effective_rank"] == near(0.2, 0.0)
    assert won["own_agreement_score_at_start"] == near(0.8, 0.0)
    assert won["alignment_score"] == near(0.15, 0.1 * HALF)
    assert won["pruned"]["bottom_0.5"]["train/loss"] == near(10.5, HALF)


def test_checkpoints_are_of_their_last_step_over_matrices_and_pairs(summary):
    theirs = summary["checkpoints"]["theirs"]
    assert theirs["normalized_effective_rank"] == near(0.4, 0.2 * HALF)
    assert theirs["normalized_effective_rank_at_start"] == {"mean": None, "std": None}
    assert theirs["alignment_score"] == near(0.5, 0.5 * HALF)
    assert theirs["flagged_steps"] == {"mean": 1.0, "std": None}
