"""Claims about linear mode connectivity, on tables with known answers."""

import math

import pytest


def within(world, barriers, agreement=None):
    """A trunk a list, of barriers by split step 0, 1, ..., over two pairs of branches each."""
    world.add("connections", "line", "run")
    for trunk, of_trunk in enumerate(barriers):
        scores = agreement[trunk] if agreement else [0.5] * len(of_trunk)
        for step, (barrier, score) in enumerate(zip(of_trunk, scores, strict=True)):
            for off in (-0.01, 0.01):
                world.line("within", str(trunk), step, 0.0, barrier + off, score)


NOT_INDEPENDENT = "pairs that share a trunk are not independent: the interval may be too narrow"


def across(world, pairs):
    for trunks, of_pair in pairs.items():
        for step, (barrier, score) in enumerate(of_pair):
            world.line("across", trunks, step, 0.0, barrier, score)


@pytest.mark.parametrize(
    ("ratios", "verdict"),
    [
        ([0.05, 0.06, 0.04], "holds"),
        ([0.9, 0.91, 0.92], "does not hold"),
        ([0.0, 0.2, 0.5], "undecided"),
    ],
)
def test_last_barrier_is_over_the_first(world, ratios, verdict):
    within(world, [[2.0, 7.0, 2.0 * ratio] for ratio in ratios])
    across(world, {"0-1": [(99.0, 0.1)] * 3})
    finding = world.finding("late_split_connected")
    assert finding.value == pytest.approx(sum(ratios) / 3, abs=1e-5)
    assert (finding.num_units, finding.unit, finding.verdict) == (3, "trunks", verdict)


def test_without_a_barrier_to_lose_there_is_no_ratio(world):
    within(world, [[2.0, 0.2], [-0.1, 0.2]])
    finding = world.finding("late_split_connected")
    assert (finding.value, finding.low, finding.verdict) == (0.1, None, "undecided")
    assert finding.note == "there is no barrier at split 0 (trunk 1)"


def test_one_split_is_not_late(world):
    within(world, [[2.0], [2.0]])
    assert "no split after step 0" in world.finding("late_split_connected").note


def test_one_trunk_gives_a_value_without_interval(world):
    within(world, [[2.0, 0.2]])
    finding = world.finding("late_split_connected")
    assert (finding.value, finding.low, finding.verdict) == (0.1, None, "undecided")


def test_diverged_branch_leaves_no_answer(world):
    within(world, [[2.0, 0.2], [2.0, math.nan]])
    finding = world.finding("late_split_connected")
    assert finding.verdict == "undecided"
    assert finding.note == "barrier is not defined or not finite somewhere (trunk 1)"


HIGH_TO_LOW, LOW_TO_HIGH = [4.0, 3.0, 1.0, 0.5], [0.1, 0.2, 0.3, 0.4]
ORDERS = [
    ([LOW_TO_HIGH] * 3, -1, "holds"),
    ([LOW_TO_HIGH[::-1]] * 3, 1, "does not hold"),
    ([LOW_TO_HIGH, LOW_TO_HIGH, LOW_TO_HIGH[::-1]], -0.33333, "undecided"),
]


@pytest.mark.parametrize(("agreement", "value", "verdict"), ORDERS)
def test_agreement_rises_as_barriers_fall(world, agreement, value, verdict):
    within(world, [HIGH_TO_LOW] * 3, agreement)
    finding = world.finding("connected_share_directions")
    assert (finding.value, finding.num_units, finding.verdict) == (value, 3, verdict)


def test_two_splits_have_no_order(world):
    within(world, [[2.0, 0.1]] * 2, [[0.1, 0.9]] * 2)
    finding = world.finding("connected_share_directions")
    assert (finding.value, finding.verdict) == (None, "undecided")
    assert "2 points are too few" in finding.note


@pytest.mark.parametrize(
    ("difference", "verdict"),
    [
        ([2.0, 2.1, 2.2], "holds"),
        ([-2.0, -2.1, -2.2], "does not hold"),
        ([-1.0, 0.0, 1.0], "undecided"),
    ],
)
def test_barrier_across_trunks_is_compared_with_those_within(world, difference, verdict):
    within(world, [[9.0, 0.1], [9.0, 0.3], [9.0, 0.5]])
    own = {"0-1": 0.2, "0-2": 0.3, "1-2": 0.4}
    heights = zip(own.items(), difference, strict=True)
    across(world, {pair: [(50.0, 0.1), (mean + off, 0.1)] for (pair, mean), off in heights})
    world.add("matrices", "run", "a", "a", 0, 8, 8, 0.01)
    finding = world.finding("trunks_unconnected")
    assert finding.value == pytest.approx(sum(difference) / 3, abs=1e-5)
    assert (finding.num_units, finding.unit, finding.verdict) == (3, "pairs of trunks", verdict)
    assert finding.note == NOT_INDEPENDENT


def test_pairs_that_share_no_trunk_are_independent(world):
    within(world, [[9.0, 0.1]] * 4)
    across(world, {"0-1": [(9.0, 0.1), (2.0, 0.1)], "2-3": [(9.0, 0.1), (3.0, 0.1)]})
    world.add("matrices", "run", "a", "a", 0, 8, 8, 0.01)
    finding = world.finding("trunks_unconnected")
    assert (finding.num_units, finding.note) == (2, None)


def test_equal_pairs_that_share_trunks_have_both_notes(world):
    within(world, [[9.0, 0.1]] * 3)
    across(world, {pair: [(9.0, 0.1), (2.0, 0.1)] for pair in ("0-1", "0-2", "1-2")})
    world.add("matrices", "run", "a", "a", 0, 8, 8, 0.01)
    note = "all pairs of trunks have one value: an interval without width"
    assert world.finding("trunks_unconnected").note == f"{NOT_INDEPENDENT}; {note}"


def test_split_of_which_only_the_line_across_is_known_cannot_be_compared(world):
    within(world, [[9.0], [9.0]])
    across(world, {"0-1": [(50.0, 0.1), (50.0, 0.1)]})
    world.add("matrices", "run", "a", "a", 0, 8, 8, 0.01)
    assert world.finding("trunks_unconnected").note == "the tables hold no barrier (trunk 0-1)"


@pytest.mark.parametrize(
    ("ratios", "verdict"),
    [
        ([1.0, 1.1, 1.2], "holds"),
        ([5.0, 5.1, 5.2], "does not hold"),
        ([1.0, 2.0, 3.0], "undecided"),
    ],
)
def test_agreement_across_trunks_is_over_its_null_level(world, ratios, verdict):
    within(world, [[9.0, 0.1]] * 3, [[0.9, 0.9]] * 3)
    for matrix, null in (("a", 0.01), ("b", 0.03)):
        world.add("matrices", "run", matrix, matrix, 0, 8, 8, null)
        world.add("matrices", "other", matrix, matrix, 0, 8, 8, 0.7)
    scores = [0.02 * ratio for ratio in ratios]
    pairs = zip(("0-1", "0-2", "1-2"), scores, strict=True)
    across(world, {pair: [(1.0, score - 0.01), (1.0, score + 0.01)] for pair, score in pairs})
    finding = world.finding("trunks_share_nothing")
    assert finding.value == pytest.approx(sum(ratios) / 3, abs=1e-4)
    assert (finding.num_units, finding.unit, finding.verdict) == (3, "pairs of trunks", verdict)


@pytest.mark.parametrize(("agreement", "value", "verdict"), ORDERS)
def test_barriers_rise_as_perturbation_breaks_agreement(world, agreement, value, verdict):
    unperturbed = [[5.0, barrier] for barrier in (HIGH_TO_LOW[0],) * 3]
    within(world, unperturbed, [[0.9, scores[0]] for scores in agreement])
    for trunk, scores in enumerate(agreement):
        for scale, barrier, score in zip((0.1, 0.5, 2.5), HIGH_TO_LOW[1:], scores[1:], strict=True):
            world.line("perturbed", str(trunk), 1, scale, barrier, score)
    finding = world.finding("perturbation_breaks")
    assert (finding.value, finding.num_units, finding.verdict) == (value, 3, verdict)


def test_scale_0_of_a_perturbation_is_the_unperturbed_line(world):
    within(world, [[5.0, 0.0]] * 2, [[0.1, 0.9]] * 2)
    for trunk in ("0", "1"):
        for scale, barrier, score in ((0.1, 1.0, 0.5), (0.5, 2.0, 0.4)):
            world.line("perturbed", trunk, 1, scale, barrier, score)
    assert world.finding("perturbation_breaks").value == -1
    assert world.finding("perturbation_breaks").verdict == "holds"
