from pathlib import Path

import pytest

from specflow.params.resolve import BranchParams, Collected, CollectParams
from specflow.tables.reading import Tables
from specflow.tables.summary import summarize
from specflow.tables.writing import write_table

PARAMS = CollectParams(
    experiments={"run": Collected(seeds=(0, 1), matrices=(), pairs=())},
    connections={
        "line": BranchParams(
            connection="line",
            experiment="run",
            trunk_seeds=(0,),
            split_steps=(0, 4),
            num_branches=3,
        )
    },
    samples={},
)
STEPS = (0, 4, 10)


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    """Two seeds, three steps, two matrices, one of them undefined at the start."""
    run = ("experiment", "seed", "step", "epoch")
    errors = {0: (0.9, 0.01, 0.0), 1: (0.9, 0.5, 0.01)}
    write_table(
        tmp_path / "history.csv",
        (*run, "split", "metric", "value"),
        [
            ("run", seed, step, step / 2, "train", "error", errors[seed][i])
            for seed in (0, 1)
            for i, step in enumerate(STEPS)
        ],
    )
    write_table(
        tmp_path / "spectra.csv",
        (*run, "matrix", "normalized_effective_rank", "frobenius_norm", "agreement_score"),
        [
            ("run", seed, step, step / 2, matrix, rank, 2.0, 0.1 * step)
            for seed in (0, 1)
            for step in STEPS
            for matrix, rank in (("a", 0.5 + 0.1 * seed), ("b", float("nan") if step == 0 else 0.3))
        ],
    )
    write_table(
        tmp_path / "alignment.csv",
        (*run, "pair", "alignment_score"),
        [("run", seed, step, step / 2, "a -> b", 0.25) for seed in (0, 1) for step in STEPS],
    )
    write_table(
        tmp_path / "pruning.csv",
        (*run, "split", "keep", "keep_fraction", "metric", "value"),
        [
            ("run", seed, 10, 5.0, "train", keep, 0.5, "loss", 1.0 + seed)
            for seed in (0, 1)
            for keep in ("top", "bottom")
        ],
    )
    line = ("connection", "trunk_seed", "split_step", "split_epoch", "branches")
    pairs = ("0-1", "0-2", "1-2")
    write_table(
        tmp_path / "barriers.csv",
        (*line, "split", "keep", "keep_fraction", "metric", "barrier"),
        [
            ("line", 0, step, step / 2, pair, "train", keep, 1.0, "loss", 3.0 * i + step)
            for step in (0, 4)
            for i, pair in enumerate(pairs)
            for keep in ("full", "top")
        ],
    )
    write_table(
        tmp_path / "end_agreement.csv",
        (*line, "matrix", "agreement_score"),
        [("line", 0, step, step / 2, pair, "a", 0.5) for step in (0, 4) for pair in pairs],
    )
    return Tables(tmp_path)


def test_metrics_are_mean_and_std_over_seeds_at_the_last_step(tables):
    run = summarize(tables, PARAMS)["experiments"]["run"]
    assert run["train/error"] == {"mean": 0.005, "std": 0.005}
    assert run["pruned"]["top_0.5"]["train/loss"] == {"mean": 1.5, "std": 0.5}


def test_matrices_are_averaged_before_seeds(tables):
    run = summarize(tables, PARAMS)["experiments"]["run"]
    assert run["normalized_effective_rank"] == pytest.approx({"mean": 0.425, "std": 0.025})


def test_undefined_ranks_are_left_out_of_the_mean_over_matrices(tables):
    run = summarize(tables, PARAMS)["experiments"]["run"]
    assert run["normalized_effective_rank_at_start"] == pytest.approx({"mean": 0.55, "std": 0.05})


def test_halfway_is_the_last_kept_step_of_the_first_half(tables):
    run = summarize(tables, PARAMS)["experiments"]["run"]
    assert run["agreement_score_halfway"]["mean"] == pytest.approx(0.4)


def test_first_fitted_step_is_over_seeds(tables):
    run = summarize(tables, PARAMS)["experiments"]["run"]
    assert run["train/first_step_at_99_percent"] == {"mean": 7.0, "std": 3.0}


def test_quantity_that_one_seed_does_not_reach_is_null(tables, tmp_path):
    text = (tmp_path / "history.csv").read_text().replace("error,0.01\n", "error,0.02\n")
    (tmp_path / "history.csv").write_text(text)
    run = summarize(Tables(tmp_path), PARAMS)["experiments"]["run"]
    assert run["train/first_step_at_99_percent"] == {"mean": None, "std": None}


def test_barriers_are_over_trunks_and_pairs_of_branches_of_the_full_model(tables):
    line = summarize(tables, PARAMS)["connections"]["line"]
    assert line["split_0"]["train/loss_barrier"] == pytest.approx({"mean": 3.0, "std": 2.4495})
    assert line["split_4"]["train/loss_barrier"]["mean"] == 7.0
    assert line["split_0"]["agreement_score"] == {"mean": 0.5, "std": 0.0}
