from pathlib import Path

import pytest

from specflow.params.resolve import (
    BranchPerturbationParams,
    Collected,
    CollectedConnection,
    CollectParams,
    RetrainParams,
)
from specflow.tables.reading import Tables
from specflow.tables.summary import summarize
from specflow.tables.writing import write_table

PARAMS = CollectParams(
    suites={},
    experiments={"run": Collected(seeds=(0, 1), matrices=(), pairs=())},
    connections={
        "line": CollectedConnection(
            connection="line",
            experiment="run",
            trunk_seeds=(0, 1),
            split_steps=(0, 4),
            num_branches=3,
            perturbation=BranchPerturbationParams(
                split_step=4, scales=(0.5, 1.0), batch_norm_samples=10
            ),
            across_trunks=True,
        )
    },
    tickets={
        "won": RetrainParams(
            ticket="won",
            experiment="run",
            kind="magnitude",
            density=0.25,
            rewind_step=4,
            batch_norm_samples=10,
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
    line = ("connection", "relation", "trunks", "split_step", "split_epoch", "scale", "branches")
    pairs = ("0-1", "0-2", "1-2")
    lines = [
        (("line", "within", "0", step, step / 2, 0.0, pair), 3.0 * i + step, 0.5)
        for step in (0, 4)
        for i, pair in enumerate(pairs)
    ]
    lines += [(("line", "across", "0-1", 4, 2.0, 0.0, str(i)), 50.0, 0.1) for i in range(3)]
    lines += [
        (("line", "perturbed", "0", 4, 2.0, scale, "0-1"), 10 * scale, 0.2) for scale in (0.5, 1.0)
    ]
    write_table(
        tmp_path / "barriers.csv",
        (*line, "split", "keep", "keep_fraction", "metric", "barrier"),
        [
            (*one, "train", keep, 1.0, "loss", barrier)
            for one, barrier, _ in lines
            for keep in ("full", "top")
        ],
    )
    write_table(
        tmp_path / "end_agreement.csv",
        (*line, "matrix", "agreement_score"),
        [(*one, "a", score) for one, _, score in lines],
    )
    _write_ticket_tables(tmp_path)
    return Tables(tmp_path)


def _write_ticket_tables(folder: Path) -> None:
    """One ticket, masked in matrix "a" and in "b", which has three times its entries."""
    write_table(
        folder / "matrices.csv",
        ("experiment", "matrix", "rows", "columns"),
        [("run", "a", 2, 4), ("run", "b", 4, 6), ("run", "last", 1, 100)],
    )
    write_table(
        folder / "ticket_masks.csv",
        ("ticket", "seed", "matrix", "density", "masked_agreement_score"),
        [
            ("won", seed, matrix, density, 0.5 + 0.1 * seed)
            for seed in (0, 1)
            for matrix, density in (("a", 0.4), ("b", 0.2))
        ],
    )
    write_table(
        folder / "ticket_history.csv",
        ("ticket", "seed", "step", "epoch", "split", "metric", "value"),
        [
            ("won", seed, step, step / 2, "validation", "error", 0.1 * seed + 1 / step)
            for seed in (0, 1)
            for step in (4, 10)
        ],
    )
    write_table(
        folder / "ticket_spectra.csv",
        ("ticket", "seed", "step", "epoch", "matrix", "agreement_score"),
        [
            ("won", seed, step, step / 2, matrix, score if step == 10 else 0.9)
            for seed in (0, 1)
            for step in (4, 10)
            for matrix, score in (("a", 0.2), ("b", 0.4), ("last", 0.6))
        ],
    )


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


def test_lines_across_trunks_and_perturbed_ones_are_groups_of_their_own(tables):
    line = summarize(tables, PARAMS)["connections"]["line"]
    assert list(line) == [
        *("split_0", "split_4", "across_split_0", "across_split_4"),
        *("perturbed_0.5", "perturbed_1"),
    ]
    assert line["across_split_4"]["train/loss_barrier"] == {"mean": 50.0, "std": 0.0}
    assert line["perturbed_0.5"]["train/loss_barrier"]["mean"] == 5.0
    assert line["perturbed_1"]["agreement_score"]["mean"] == 0.2
    assert line["across_split_0"]["agreement_score"] == {"mean": None, "std": None}


def test_connection_without_these_options_has_no_such_groups(tables):
    entry = PARAMS.connections["line"].model_copy(
        update={"across_trunks": False, "perturbation": None, "split_steps": (0,)}
    )
    for name in ("barriers", "end_agreement"):
        table = tables._directory / f"{name}.csv"
        kept = [row for row in table.read_text().splitlines() if ",perturbed," not in row]
        table.write_text("\n".join(kept) + "\n")
    params = PARAMS.model_copy(update={"connections": {"line": entry}})
    line = summarize(Tables(tables._directory), params)["connections"]["line"]
    assert list(line) == ["split_0"]


def test_ticket_has_its_last_metrics_and_agreement_of_mask_and_training(tables):
    won = summarize(tables, PARAMS)["tickets"]["won"]
    assert won["validation/error"] == {"mean": 0.15, "std": 0.05}
    assert won["masked_agreement_score"] == {"mean": 0.55, "std": 0.05}
    assert won["agreement_score"] == {"mean": 0.4, "std": 0.0}


def test_density_of_a_ticket_is_over_all_its_weights(tables):
    assert summarize(tables, PARAMS)["tickets"]["won"]["density"] == {"mean": 0.25, "std": 0.0}
