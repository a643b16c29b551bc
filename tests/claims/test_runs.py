"""Claims about single experiments, on tables with known answers."""

import math

import pytest

END = 10


def share(world, num_true):
    """Make claims true of so many of 2 x 20 matrices and seeds."""
    world.add("history", "run", 0, END, "validation", "error", 0.5)
    for index in range(40):
        seed, matrix, true = index // 20, f"m{index % 20}", index < num_true
        for step, rank in ((0, 0.8), (5, 0.1), (END, 0.7 if true else 0.8)):
            world.add("spectra", "run", seed, step, matrix, rank)
        world.add("growth", "run", seed, matrix, 3.0 if true else 1.5, 1.5)


@pytest.mark.parametrize("claim", ["rank_falls", "unequal_growth"])
@pytest.mark.parametrize(
    ("num_true", "verdict"), [(40, "holds"), (10, "does not hold"), (34, "undecided")]
)
def test_share_of_matrices_and_seeds(world, claim, num_true, verdict):
    share(world, num_true)
    finding = world.finding(claim)
    assert (finding.value, finding.num_units) == (num_true / 40, 40)
    assert (finding.unit, finding.verdict) == ("matrices x seeds", verdict)


def test_matrix_without_a_rank_at_the_start_is_left_out(world):
    share(world, 40)
    world.add("spectra", "run", 0, 0, "zero", math.nan)
    world.add("spectra", "run", 0, END, "zero", 0.5)
    finding = world.finding("rank_falls")
    assert (finding.value, finding.num_units) == (1, 40)
    assert finding.note == "1 of 41 not defined and left out"


def prune(world, top, bottom=2.0, fraction=0.5):
    """Make losses with the top or the bottom half kept, by seed; that of the full model is 1."""
    world.run("run", [0.5] * len(top))
    for seed, above in enumerate(top):
        for step, off in ((0, 9.0), (END, 0.0)):
            for split, shift in (("train", 5.0), ("validation", 0.0)):
                where = ("run", seed, step, split)
                world.add("history", *where, "loss", 1.0 + off + shift)
                for keep, part, loss in (
                    ("top", fraction, 1.0 + above),
                    ("bottom", fraction, bottom),
                    ("top", 0.9, 8.0),
                ):
                    world.add("pruning", *where, keep, part, "loss", loss + off + shift)
                    world.add("pruning", *where, keep, part, "error", 0.9)


def test_top_half_is_compared_with_the_bottom_half(world):
    cases = ([0.01, 0.02, 0.03], [0.6, 0.7, 0.8], [0.0, 0.2, 0.4])
    world.expect("top_half_suffices", lambda ratios: prune(world, ratios), *cases)


@pytest.mark.parametrize(
    ("losses", "note"),
    [
        ({"bottom": 1.0}, "keeping the bottom half costs no loss (seed 0, seed 1)"),
        ({"fraction": 0.3}, "the tables hold no value (seed 0, seed 1)"),
    ],
)
def test_without_two_halves_to_compare_there_is_no_ratio(world, losses, note):
    prune(world, [0.1, 0.1], **losses)
    world.expect_no_verdict("top_half_suffices", None, note)


@pytest.mark.parametrize(
    ("ahead", "score", "verdict"),
    [
        ([0.2, 0.21, 0.22], [0.8, 0.81, 0.82], "holds"),
        ([-0.2, -0.21, -0.22], [0.8, 0.81, 0.82], "does not hold"),
        ([0.2, 0.21, 0.22], [0.3, 0.31, 0.32], "does not hold"),
        ([-0.2, 0.0, 0.2], [0.3, 0.31, 0.32], "does not hold"),
        ([-0.2, 0.0, 0.2], [0.8, 0.81, 0.82], "undecided"),
        ([0.2, 0.21, 0.22], [0.3, 0.5, 0.7], "undecided"),
    ],
)
def test_settling_has_two_conditions(world, ahead, score, verdict):
    world.run("run", [0.5] * 3)
    for seed in range(3):
        for matrix, off in (("a", -0.1), ("b", 0.1)):
            top = score[seed] + off
            world.add("settling", "run", seed, matrix, 5, top, top - ahead[seed])
    finding = world.finding("top_settles_early")
    assert finding.value == pytest.approx(sum(ahead) / 3)
    assert finding.score.value == pytest.approx(sum(score) / 3)
    assert (finding.num_units, finding.unit, finding.verdict) == (3, "seeds", verdict)


def test_alignment_is_the_mean_over_pairs_at_the_end_and_over_null(world):
    def make(scores):
        world.run("run", [0.5] * 3)
        for pair, null, off in (("a -> b", 0.04, -0.1), ("b -> c", 0.06, 0.1)):
            world.add("pairs", "run", pair, 0, null)
            for seed, score in enumerate(scores):
                world.add("alignment", "run", seed, 0, pair, 0.99)
                world.add("alignment", "run", seed, END, pair, score + off)

    undecided = [0.3, 0.5, 0.6]
    world.expect("alignment_weak", make, [0.19, 0.2, 0.21], [0.7, 0.71, 0.72], undecided)
    over_null = world.finding("alignment_weak").over_null
    assert over_null == pytest.approx(sum(undecided) / 3 / 0.05, abs=1e-4)


@pytest.mark.parametrize(
    ("claim", "note"),
    [
        ("top_settles_early", "no matrix with 20 directions in the tables (seed 0, seed 1)"),
        ("alignment_weak", "the tables hold no alignment_score (seed 0, seed 1)"),
    ],
)
def test_experiment_without_what_is_measured_has_no_value(world, claim, note):
    world.run("run", [0.5] * 2)
    world.expect_no_verdict(claim, None, note)
    assert world.finding(claim).over_null is None
