"""Claims about single experiments, on tables with known answers."""

import math

import pytest

END = 10
LOWER, HIGHER, BOTH = [-0.2, -0.21, -0.22], [0.2, 0.21, 0.22], [-0.2, 0.0, 0.1]


def matrices(world, changes, growths):
    """Ten matrices of each seed, and one of a single row, with changes of rank and growth."""
    world.run("run", [0.5] * len(changes))
    world.rows["spectra"].clear()
    for index in range(11):
        world.add("matrices", "run", f"m{index}", 1 if index == 10 else 8, 9, 0.01)
        for seed, (change, growth) in enumerate(zip(changes, growths, strict=True)):
            start = 0.6 - 0.01 * index
            for step, rank in ((0, start), (5, 0.1), (END, start + [*change, 0.9][index])):
                world.add("spectra", "run", seed, step, f"m{index}", rank)
            if index < 10:
                world.add("growth", "run", seed, f"m{index}", 1.5 * 2.0 ** growth[index], 1.5)


def test_rank_has_fallen_in_all_but_a_fifth_of_the_matrices(world):
    def make(values):
        changes = [[v + 0.3, v, v, *[v - 0.1] * 7] for v in values]
        matrices(world, changes, [[0.0] * 10] * len(values))

    world.expect("rank_falls", make, LOWER, HIGHER, BOTH)


def test_top_values_have_outgrown_the_median_in_all_but_a_fifth_of_the_matrices(world):
    def make(values):
        growths = [[v - 1, v, v, *[v + 1] * 7] for v in values]
        matrices(world, [[0.0] * 10] * len(values), growths)

    world.expect("unequal_growth", make, HIGHER, LOWER, BOTH)


def test_matrix_without_a_rank_at_the_start_leaves_its_run_without_a_value(world):
    matrices(world, [[-0.1] * 10] * 2, [[0.0] * 10] * 2)
    world.add("matrices", "run", "zero", 8, 8, 0.01)
    for seed, rank in ((0, math.nan), (1, 0.9)):
        world.add("spectra", "run", seed, 0, "zero", rank)
        world.add("spectra", "run", seed, END, "zero", 0.5)
    world.expect_no_verdict("rank_falls", -0.1, "not defined for some matrix (seed 0)")


def prune(world, top, *, full=1.0, bottom=5.0, fraction=0.5, split="validation"):
    """Make losses with the top or the bottom half kept, by seed; a trivial predictor has 3."""
    world.run("run", [0.5] * len(top))
    for seed, loss in enumerate(top):
        for step, off in ((0, 0.5), (END, 0.0)):
            for part in ("train", "validation"):
                where = ("run", seed, step, part)
                shown = full if part == split else 70.0
                world.add("history", *where, "loss", shown + off)
                world.add("history", *where, "loss_baseline", 3.0)
                for keep, share, value in (
                    ("top", fraction, loss),
                    ("bottom", fraction, bottom),
                    ("top", 0.9, 8.0),
                ):
                    world.add("pruning", *where, keep, share, "loss", value + off)
                    world.add("pruning", *where, keep, share, "error", 0.9)


CASES = ([0.01, 0.02, 0.03], [0.6, 0.7, 0.8], [0.0, 0.2, 0.4])


@pytest.mark.parametrize(("bottom", "span"), [(5.0, 2.0), (2.0, 1.0)])
@pytest.mark.parametrize("split", ["validation", "train"])
def test_top_half_is_compared_with_the_bottom_half_or_a_trivial_predictor(
    world, bottom, span, split
):
    """Of validation data, or of training data where only these were learned."""

    def make(ratios):
        prune(world, [1.0 + span * ratio for ratio in ratios], bottom=bottom, split=split)

    world.expect("top_half_suffices", make, *CASES)


def test_halves_are_compared_with_a_full_network_whose_statistics_are_theirs(world):
    prune(world, [1.2, 1.4])
    for seed in (0, 1):
        world.add("pruning", "run", seed, END, "validation", "reestimated", 1.0, "loss", 1.1)
    found = world.finding("top_half_suffices")
    assert found.value == pytest.approx((0.1 + 0.3) / 2 / (3.0 - 1.1), rel=1e-4)


@pytest.mark.parametrize(
    ("losses", "note"),
    [
        ({"bottom": 1.0}, "keeping the bottom half costs no loss"),
        ({"fraction": 0.3}, "the tables hold no value"),
        ({"full": 3.5}, "the network is no better than a trivial predictor"),
    ],
)
def test_without_two_halves_to_compare_there_is_no_ratio(world, losses, note):
    prune(world, [1.1, 1.1], **losses)
    world.expect_no_verdict("top_half_suffices", None, f"{note} (seed 0, seed 1)")


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
    assert finding.also["score"].value == pytest.approx(sum(score) / 3)
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
