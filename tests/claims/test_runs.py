"""Claims about single experiments, on tables with known answers."""

import math

import pytest

END = 10


@pytest.fixture
def shares(world):
    """A function that makes a claim true of so many of 2 x 20 matrices and seeds."""

    def make(claim, num_true):
        world.run("run", [0.5, 0.5])
        world.rows["spectra"].clear()
        for index in range(40):
            seed, matrix, true = index // 20, f"m{index % 20}", index < num_true
            for step, rank in ((0, 0.8), (5, 0.1), (END, 0.7 if true else 0.8)):
                world.add("spectra", "run", seed, step, matrix, rank)
            world.add("growth", "run", seed, matrix, 3.0 if true else 1.5, 1.5)
        return world.finding(claim)

    return make


@pytest.mark.parametrize("claim", ["rank_falls", "unequal_growth"])
@pytest.mark.parametrize(
    ("num_true", "verdict"), [(40, "holds"), (10, "does not hold"), (34, "undecided")]
)
def test_share_of_matrices_and_seeds(shares, claim, num_true, verdict):
    finding = shares(claim, num_true)
    assert (finding.value, finding.num_units) == (num_true / 40, 40)
    assert (finding.unit, finding.verdict) == ("matrices x seeds", verdict)


def test_matrix_without_a_rank_at_the_start_is_left_out(world, shares):
    shares("rank_falls", 40)
    world.add("spectra", "run", 0, 0, "zero", math.nan)
    world.add("spectra", "run", 0, END, "zero", 0.5)
    finding = world.finding("rank_falls")
    assert (finding.value, finding.num_units) == (1, 40)
    assert finding.note == "1 of 41 not defined and left out"


@pytest.fixture
def pruned(world):
    """A function that makes losses with the top or the bottom half kept, by seed; the full's 1."""

    def make(top, bottom=2.0, fraction=0.5):
        world.run("run", [0.5] * len(top))
        for seed, share in enumerate(top):
            for step, off in ((0, 9.0), (END, 0.0)):
                for split, shift in (("train", 5.0), ("validation", 0.0)):
                    where = ("run", seed, step, split)
                    world.add("history", *where, "loss", 1.0 + off + shift)
                    for keep, part, loss in (
                        ("top", fraction, 1.0 + share),
                        ("bottom", fraction, bottom),
                        ("top", 0.9, 8.0),
                    ):
                        world.add("pruning", *where, keep, part, "loss", loss + off + shift)
                        world.add("pruning", *where, keep, part, "error", 0.9)

    return make


@pytest.mark.parametrize(
    ("top", "verdict"),
    [
        ([0.01, 0.02, 0.03], "holds"),
        ([0.6, 0.7, 0.8], "does not hold"),
        ([0.0, 0.2, 0.4], "undecided"),
    ],
)
def test_top_half_is_compared_with_the_bottom_half(world, pruned, top, verdict):
    pruned(top)
    world.expect("top_half_suffices", top, verdict)


@pytest.mark.parametrize(
    ("losses", "note"),
    [
        ({"bottom": 1.0}, "keeping the bottom half costs no loss (seed 0, seed 1)"),
        ({"fraction": 0.3}, "the tables hold no value (seed 0, seed 1)"),
    ],
)
def test_without_two_halves_to_compare_there_is_no_ratio(world, pruned, losses, note):
    pruned([0.1, 0.1], **losses)
    finding = world.finding("top_half_suffices")
    assert (finding.value, finding.verdict, finding.note) == (None, "undecided", note)


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
    world.expect("top_settles_early", ahead, verdict)
    assert world.finding("top_settles_early").score.value == pytest.approx(sum(score) / 3)


@pytest.mark.parametrize(
    ("scores", "verdict"),
    [
        ([0.19, 0.2, 0.21], "holds"),
        ([0.7, 0.71, 0.72], "does not hold"),
        ([0.3, 0.5, 0.6], "undecided"),
    ],
)
def test_alignment_is_the_mean_over_pairs_at_the_end_and_over_null(world, scores, verdict):
    world.run("run", [0.5] * 3)
    for pair, null in (("a -> b", 0.04), ("b -> c", 0.06)):
        world.add("pairs", "run", pair, 0, null)
    for seed, score in enumerate(scores):
        for pair, off in (("a -> b", -0.1), ("b -> c", 0.1)):
            world.add("alignment", "run", seed, 0, pair, 0.99)
            world.add("alignment", "run", seed, END, pair, score + off)
    world.expect("alignment_weak", scores, verdict)
    over_null = world.finding("alignment_weak").over_null
    assert over_null == pytest.approx(sum(scores) / 3 / 0.05, abs=1e-4)


@pytest.mark.parametrize(
    ("claim", "note"),
    [
        ("top_settles_early", "no matrix with 20 directions in the tables"),
        ("alignment_weak", "the tables hold no alignment_score"),
    ],
)
def test_experiment_without_what_is_measured_has_no_value(world, claim, note):
    world.run("run", [0.5] * 2)
    finding = world.finding(claim)
    assert (finding.value, finding.over_null, finding.verdict) == (None, None, "undecided")
    assert finding.note.startswith(note)
