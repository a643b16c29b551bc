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
                world.add("spectra", "run", seed, step, step / 5, matrix, rank)
            world.add("growth", "run", seed, matrix, 3.0 if true else 1.5, 1.5)
        return world.finding(claim)

    return make


@pytest.mark.parametrize("claim", ["rank_falls", "unequal_growth"])
@pytest.mark.parametrize(
    ("num_true", "verdict"), [(40, "holds"), (10, "does not hold"), (34, "undecided")]
)
def test_share_of_matrices_and_seeds(shares, claim, num_true, verdict):
    finding = shares(claim, num_true)
    assert finding.value == num_true / 40
    assert (finding.num_units, finding.unit) == (40, "matrices x seeds")
    assert finding.verdict == verdict


def test_matrix_without_a_rank_at_the_start_is_left_out(world, shares):
    shares("rank_falls", 40)
    world.add("spectra", "run", 0, 0, 0.0, "zero", math.nan)
    world.add("spectra", "run", 0, END, 1.0, "zero", 0.5)
    finding = world.finding("rank_falls")
    assert (finding.value, finding.num_units) == (1, 40)
    assert finding.note == "1 of 41 not defined and left out"


@pytest.fixture
def pruned(world):
    """A function that makes tables of losses with the top or the bottom half kept, by seed."""

    def make(top, bottom=2.0, fraction=0.5):
        world.run("run", [0.5] * len(top))
        for seed, share in enumerate(top):
            for step, off in ((0, 9.0), (END, 0.0)):
                for split, shift in (("train", 5.0), ("validation", 0.0)):
                    for keep, part, loss in (
                        ("full", 1.0, 1.0),
                        ("top", fraction, 1.0 + share),
                        ("bottom", fraction, bottom),
                        ("top", 0.9, 8.0),
                    ):
                        where = ("run", seed, step, step / 5, split, keep, part)
                        world.add("pruning", *where, "loss", loss + off + shift)
                        world.add("pruning", *where, "error", 0.9)
        return world.finding("top_half_suffices")

    return make


@pytest.mark.parametrize(
    ("top", "verdict"),
    [
        ([0.01, 0.02, 0.03], "holds"),
        ([0.6, 0.7, 0.8], "does not hold"),
        ([0.0, 0.2, 0.4], "undecided"),
    ],
)
def test_top_half_is_compared_with_the_bottom_half(pruned, top, verdict):
    finding = pruned(top)
    assert finding.value == pytest.approx(sum(top) / 3)
    assert (finding.num_units, finding.unit, finding.verdict) == (3, "seeds", verdict)


def test_bottom_half_that_costs_nothing_makes_no_ratio(pruned):
    finding = pruned([0.1, 0.1], bottom=1.0)
    assert (finding.value, finding.verdict) == (None, "undecided")
    assert finding.note == "keeping the bottom half costs no loss (seed 0, seed 1)"


def test_without_half_among_the_fractions_there_is_no_answer(pruned):
    assert "the tables hold no value" in pruned([0.1, 0.1], fraction=0.3).note


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
    assert (finding.verdict, finding.unit) == (verdict, "seeds")
    assert world.judged("top_settles_early").holds_when == "> 0 and score > 0.5"


def test_small_matrices_alone_do_not_settle(world):
    world.run("run", [0.5] * 2)
    finding = world.finding("top_settles_early")
    assert (finding.value, finding.verdict) == (None, "undecided")
    assert finding.note.startswith("no matrix with 20 directions")


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
            world.add("alignment", "run", seed, 0, 0.0, pair, 0.99)
            world.add("alignment", "run", seed, END, 1.0, pair, score + off)
    finding = world.finding("alignment_weak")
    assert finding.value == pytest.approx(sum(scores) / 3, abs=1e-5)
    assert finding.over_null == pytest.approx(sum(scores) / 3 / 0.05, abs=1e-4)
    assert finding.verdict == verdict


def test_experiment_without_pairs_has_no_alignment(world):
    world.run("run", [0.5] * 2)
    finding = world.finding("alignment_weak")
    assert (finding.value, finding.over_null, finding.verdict) == (None, None, "undecided")
