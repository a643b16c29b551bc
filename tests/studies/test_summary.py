import numpy as np
import pandas as pd
import pytest

from specflow.spectra import QUANTITIES
from specflow.studies.collect import summarize

NAMES = {
    "experiments": ["run"],
    "connections": ["line"],
    "tickets": ["won"],
    "samples": [],
    "checkpoints": ["theirs"],
}
STEPS = (0, 4, 10)
PATHS = [  # relation, trunks, split_step, scale, branches, barrier, agreement score
    *(
        ("within", "0", step, 0.0, f"0-{i}", 3.0 * i + step, 0.5)
        for step in (0, 4)
        for i in range(3)
    ),
    *(("across", "0-1", 4, 0.0, str(i), 50.0, 0.1) for i in range(3)),
    *(("perturbed", "0", 4, scale, "0-1", 10 * scale, 0.2) for scale in (0.5, 1.0)),
]


def frame(columns, rows):
    return pd.DataFrame(list(rows), columns=columns.split())


def spectra_rows(name, seeds, agreement=0.1):
    """Two matrices, one of which is not defined at the start."""
    ranks = {
        "a": lambda seed, step: 0.5 + 0.1 * seed,
        "b": lambda seed, step: 0.3 if step else np.nan,
    }
    return [
        (name, seed, step, matrix, rank(seed, step), agreement * step)
        for seed in seeds
        for step in STEPS
        for matrix, rank in ranks.items()
    ]


@pytest.fixture
def tables():
    """One experiment of two seeds, a connection and a ticket of it, and others' checkpoints."""
    errors = {0: (0.9, 0.01, 0.0), 1: (0.9, 0.5, 0.01)}
    spectra = frame(
        "experiment seed step matrix normalized_effective_rank agreement_score",
        spectra_rows("run", (0, 1)) + spectra_rows("theirs", (0,)),
    )
    about = "connection relation trunks split_step scale branches"
    return {
        "history": frame(
            "experiment seed step split metric value",
            [
                ("run", seed, step, "train", "error", errors[seed][i])
                for seed in (0, 1)
                for i, step in enumerate(STEPS)
            ],
        ),
        "spectra": spectra.assign(**{q: 2.0 for q in QUANTITIES if q not in spectra}),
        "alignment": frame(
            "experiment seed step pair alignment_score",
            [
                (name, seed, step, pair, 0.25 + (pair == "b -> c") / 2)
                for name, seed in (("run", 0), ("run", 1), ("theirs", 0))
                for step in STEPS
                for pair in ("a -> b", "b -> c")
            ],
        ),
        "pruning": frame(
            "experiment seed step split keep keep_fraction metric value",
            [
                ("run", seed, 10, "train", keep, 0.5, "loss", 1.0 + seed)
                for seed in (0, 1)
                for keep in ("top", "bottom")
            ],
        ),
        "connections": frame("connection experiment", [("line", "run")]),
        "barriers": frame(
            f"{about} barrier split keep keep_fraction metric",
            [
                ("line", *path[:-1], "train", keep, 1.0, "loss")
                for path in PATHS
                for keep in ("full", "top")
            ],
        ),
        "endpoint_agreement": frame(
            f"{about} agreement_score matrix", [("line", *p[:5], p[6], "a") for p in PATHS]
        ),
        # masked in matrix "a" and in "b", which has three times its entries
        "matrices": frame(
            "experiment matrix rows columns",
            [
                ("run", "a", 2, 4),
                ("run", "b", 4, 6),
                ("run", "last", 1, 100),
                ("theirs", "a", 1, 1),
            ],
        ),
        "tickets": frame("ticket experiment", [("won", "run")]),
        "ticket_masks": frame(
            "ticket seed matrix density masked_agreement_score",
            [
                ("won", seed, matrix, density, 0.5 + 0.1 * seed)
                for seed in (0, 1)
                for matrix, density in (("a", 0.4), ("b", 0.2))
            ],
        ),
        "ticket_history": frame(
            "ticket seed step split metric value",
            [
                ("won", seed, step, "validation", "error", 0.1 * seed + 1 / step)
                for seed in (0, 1)
                for step in (4, 10)
            ],
        ),
        "ticket_spectra": frame(
            "ticket seed step matrix agreement_score",
            [
                ("won", seed, step, matrix, score if step == 10 else 0.9)
                for seed in (0, 1)
                for step in (4, 10)
                for matrix, score in (("a", 0.2), ("b", 0.4), ("last", 0.6))
            ],
        ),
        "audit": frame(
            "experiment step matrix flag evidence",
            [("theirs", 4, m, "zero", "") for m in ("a", "b")],
        ),
    }


def near(mean, std):
    return pytest.approx({"mean": mean, "std": std}, rel=1e-4)


HALF = np.sqrt(0.5)  # standard deviation of two numbers whose difference is 1


def test_metrics_are_mean_and_std_over_seeds_at_the_last_step(tables):
    run = summarize(tables, NAMES)["experiments"]["run"]
    assert run["train/error"] == near(0.005, 0.01 * HALF)
    assert run["pruned"]["top_0.5"]["train/loss"] == near(1.5, HALF)
    assert run["train/first_step_at_99_percent"] == near(7.0, 6 * HALF)


def test_matrices_are_averaged_before_seeds_without_what_is_not_defined(tables):
    run = summarize(tables, NAMES)["experiments"]["run"]
    assert run["normalized_effective_rank"] == near(0.425, 0.05 * HALF)
    assert run["normalized_effective_rank_at_start"] == near(0.55, 0.1 * HALF)
    assert run["alignment_score"] == near(0.5, 0.0)


def test_halfway_is_the_last_kept_step_of_the_first_half(tables):
    assert summarize(tables, NAMES)["experiments"]["run"]["agreement_score_halfway"]["mean"] == 0.4


def test_every_quantity_is_there(tables):
    summary = summarize(tables, NAMES)
    for kind, name in (("experiments", "run"), ("checkpoints", "theirs")):
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


def test_barriers_are_of_the_full_model_over_trunks_and_branches_of_each_group(tables):
    line = summarize(tables, NAMES)["connections"]["line"]
    assert list(line) == ["split_0", "split_4", "across_split_4", "perturbed_0.5", "perturbed_1"]
    assert line["split_0"]["train/loss_barrier"] == near(3.0, 3.0)
    assert line["split_4"]["train/loss_barrier"] == near(7.0, 3.0)
    assert line["split_0"]["agreement_score"] == near(0.5, 0.0)
    assert line["across_split_4"]["train/loss_barrier"] == near(50.0, 0.0)
    assert line["perturbed_0.5"]["train/loss_barrier"] == {"mean": 5.0, "std": None}
    assert line["perturbed_1"]["agreement_score"]["mean"] == 0.2


def test_ticket_has_its_last_metrics_and_agreement_of_mask_and_training(tables):
    won = summarize(tables, NAMES)["tickets"]["won"]
    assert won["validation/error"] == near(0.15, 0.1 * HALF)
    assert won["masked_agreement_score"] == near(0.55, 0.1 * HALF)
    assert won["agreement_score"] == near(0.4, 0.0)
    assert won["density"] == near(0.25, 0.0)  # over all weights


def test_checkpoints_are_of_their_last_step_over_matrices_and_pairs(tables):
    theirs = summarize(tables, NAMES)["checkpoints"]["theirs"]
    assert theirs["normalized_effective_rank"] == near(0.4, 0.2 * HALF)
    assert theirs["normalized_effective_rank_at_start"] == {"mean": None, "std": None}
    assert theirs["alignment_score"] == near(0.5, 0.5 * HALF)
    assert theirs["flagged_steps"] == {"mean": 1.0, "std": None}
