"""Claims about linear mode connectivity, on tables with known answers."""

import math

import pytest

NOT_INDEPENDENT = "pairs that share a trunk are not independent: the interval may be too narrow"
PAIRS = ("0-1", "0-2", "1-2")
BARRIERS = [4.0, 3.0, 1.0, 0.5]
AGREEMENT = {-1: [0.1, 0.2, 0.3, 0.4], 1: [0.4, 0.3, 0.2, 0.1]}  # by correlation with BARRIERS
CORRELATIONS = {"holds": [-1, -1, -1], "fails": [1, 1, 1], "undecided": [-1, -1, 1]}


def within(world, barriers, agreement=None):
    """A trunk a list, of barriers by split step 0, 1, ..., over two pairs of branches each."""
    world.add("connections", "path", "run")
    for experiment, matrix, null in (("run", "a", 0.01), ("run", "b", 0.03), ("other", "a", 0.7)):
        world.add("matrices", experiment, matrix, null)
    for trunk, of_trunk in enumerate(barriers):
        scores = agreement[trunk] if agreement else [0.5] * len(of_trunk)
        for step, (barrier, score) in enumerate(zip(of_trunk, scores, strict=True)):
            for off in (-0.01, 0.01):
                world.path("within", str(trunk), step, 0.0, barrier + off, score)


def across(world, pairs):
    for trunks, of_pair in pairs.items():
        for step, (barrier, score) in enumerate(of_pair):
            world.path("across", trunks, step, 0.0, barrier, score)


def test_last_barrier_is_over_the_first(world):
    def make(ratios):
        within(world, [[2.0, 7.0, 2.0 * ratio] for ratio in ratios])
        across(world, {"0-1": [(99.0, 0.1)] * 3})

    cases = ([0.05, 0.06, 0.04], [0.9, 0.91, 0.92], [0.0, 0.2, 0.5])
    world.expect("late_split_connected", make, *cases, unit="trunks")


@pytest.mark.parametrize(
    ("barriers", "value", "note"),
    [
        ([[2.0, 0.2], [-0.1, 0.2]], 0.1, "there is no barrier at split 0 (trunk 1)"),
        ([[2.0], [2.0]], None, "there is no split after step 0 (trunk 0, trunk 1)"),
        ([[2.0, 0.2]], 0.1, "one unit only (trunks): no interval"),
        (
            [[2.0, 0.2], [2.0, math.nan]],  # a branch diverged
            0.1,
            "barrier is not defined or not finite somewhere (trunk 1)",
        ),
    ],
)
def test_trunk_without_two_barriers_leaves_no_interval(world, barriers, value, note):
    within(world, barriers)
    world.expect_no_verdict("late_split_connected", value, note)


def test_agreement_rises_as_barriers_fall(world):
    def make(correlations):
        within(world, [BARRIERS] * 3, [AGREEMENT[value] for value in correlations])

    world.expect("connected_share_directions", make, **CORRELATIONS, unit="trunks")


def test_two_splits_have_no_order(world):
    within(world, [[2.0, 0.1]] * 2, [[0.1, 0.9]] * 2)
    note = "2 points are too few for a rank correlation (trunk 0, trunk 1)"
    world.expect_no_verdict("connected_share_directions", None, note)


def test_barrier_across_trunks_is_compared_with_those_within(world):
    def make(differences):
        within(world, [[9.0, 0.1], [9.0, 0.3], [9.0, 0.5]])
        heights = zip(PAIRS, (0.2, 0.3, 0.4), differences, strict=True)
        across(world, {pair: [(50.0, 0.1), (own + off, 0.1)] for pair, own, off in heights})

    cases = ([2.0, 2.1, 2.2], [-2.0, -2.1, -2.2], [-1.0, 0.0, 1.0])
    world.expect("trunks_unconnected", make, *cases, unit="pairs of trunks")


@pytest.mark.parametrize(
    ("num_splits", "barriers", "note"),
    [
        (2, {"0-1": 2.0, "2-3": 3.0}, None),
        (2, {"0-1": 2.0, "0-2": 2.5, "1-2": 3.0}, NOT_INDEPENDENT),
        (
            2,
            dict.fromkeys(PAIRS, 2.0),
            f"{NOT_INDEPENDENT}; all pairs of trunks have one value: an interval without width",
        ),
        (1, {"0-1": 2.0}, "the tables hold no barrier (trunk 0-1)"),
    ],
)
def test_note_says_what_is_wrong_with_pairs_of_trunks(world, num_splits, barriers, note):
    within(world, [[9.0, 0.1][:num_splits]] * 4)
    across(world, {pair: [(9.0, 0.1), (barrier, 0.1)] for pair, barrier in barriers.items()})
    assert world.finding("trunks_unconnected").note == note


def test_agreement_across_trunks_is_over_its_null_level(world):
    def make(ratios):
        within(world, [[9.0, 0.1]] * 3, [[0.9, 0.9]] * 3)
        scores = [0.02 * ratio for ratio in ratios]  # 0.02 is the mean null level
        pairs = zip(PAIRS, scores, strict=True)
        across(world, {pair: [(1.0, score - 0.01), (1.0, score + 0.01)] for pair, score in pairs})

    cases = ([1.0, 1.1, 1.2], [5.0, 5.1, 5.2], [1.0, 2.0, 3.0])
    world.expect("trunks_share_nothing", make, *cases, unit="pairs of trunks")


def test_barriers_rise_as_perturbation_breaks_agreement(world):
    def make(correlations):
        agreement = [AGREEMENT[value] for value in correlations]
        within(world, [[5.0, BARRIERS[0]]] * 3, [[0.9, scores[0]] for scores in agreement])
        for trunk, scores in enumerate(agreement):
            perturbed = zip((0.1, 0.5, 2.5), BARRIERS[1:], scores[1:], strict=True)
            for scale, barrier, score in perturbed:
                world.path("perturbed", str(trunk), 1, scale, barrier, score)

    world.expect("perturbation_breaks", make, **CORRELATIONS, unit="trunks")


def test_scale_0_of_a_perturbation_is_the_unperturbed_path(world):
    within(world, [[5.0, 0.0]] * 2, [[0.1, 0.9]] * 2)
    for trunk in ("0", "1"):
        for scale, barrier, score in ((0.1, 1.0, 0.5), (0.5, 2.0, 0.4)):
            world.path("perturbed", trunk, 1, scale, barrier, score)
    finding = world.finding("perturbation_breaks")
    assert (finding.value, finding.verdict) == (-1, "holds")
