"""Claims about linear mode connectivity, on tables with known answers."""

import math

import pytest

NOT_INDEPENDENT = "pairs that share a trunk are not independent: the interval may be too narrow"
PAIRS = ("0-1", "0-2", "1-2")


def within(world, barriers, agreement=None):
    """A trunk a list, of barriers by split step 0, 1, ..., over two pairs of branches each."""
    world.add("connections", "path", "run")
    world.add("matrices", "run", "a", 0.01)
    world.add("matrices", "run", "b", 0.03)
    world.add("matrices", "other", "a", 0.7)
    for trunk, of_trunk in enumerate(barriers):
        scores = agreement[trunk] if agreement else [0.5] * len(of_trunk)
        for step, (barrier, score) in enumerate(zip(of_trunk, scores, strict=True)):
            for off in (-0.01, 0.01):
                world.path("within", str(trunk), step, 0.0, barrier + off, score)


def across(world, pairs):
    for trunks, of_pair in pairs.items():
        for step, (barrier, score) in enumerate(of_pair):
            world.path("across", trunks, step, 0.0, barrier, score)


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
    world.expect("late_split_connected", ratios, verdict, "trunks")


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
    finding = world.finding("late_split_connected")
    assert (finding.value, finding.low, finding.verdict) == (value, None, "undecided")
    assert finding.note == note


HIGH_TO_LOW, LOW_TO_HIGH = [4.0, 3.0, 1.0, 0.5], [0.1, 0.2, 0.3, 0.4]
ORDERS = [
    ([LOW_TO_HIGH] * 3, [-1] * 3, "holds"),
    ([LOW_TO_HIGH[::-1]] * 3, [1] * 3, "does not hold"),
    ([LOW_TO_HIGH, LOW_TO_HIGH, LOW_TO_HIGH[::-1]], [-1, -1, 1], "undecided"),
]


@pytest.mark.parametrize(("agreement", "values", "verdict"), ORDERS)
def test_agreement_rises_as_barriers_fall(world, agreement, values, verdict):
    within(world, [HIGH_TO_LOW] * 3, agreement)
    world.expect("connected_share_directions", values, verdict, "trunks")


def test_two_splits_have_no_order(world):
    within(world, [[2.0, 0.1]] * 2, [[0.1, 0.9]] * 2)
    finding = world.finding("connected_share_directions")
    assert (finding.value, finding.verdict) == (None, "undecided")
    assert "2 points are too few" in finding.note


@pytest.mark.parametrize(
    ("differences", "verdict"),
    [
        ([2.0, 2.1, 2.2], "holds"),
        ([-2.0, -2.1, -2.2], "does not hold"),
        ([-1.0, 0.0, 1.0], "undecided"),
    ],
)
def test_barrier_across_trunks_is_compared_with_those_within(world, differences, verdict):
    within(world, [[9.0, 0.1], [9.0, 0.3], [9.0, 0.5]])
    heights = zip(PAIRS, (0.2, 0.3, 0.4), differences, strict=True)
    across(world, {pair: [(50.0, 0.1), (own + off, 0.1)] for pair, own, off in heights})
    world.expect("trunks_unconnected", differences, verdict, "pairs of trunks")


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
    scores = [0.02 * ratio for ratio in ratios]  # 0.02 is the mean null level
    pairs = zip(PAIRS, scores, strict=True)
    across(world, {pair: [(1.0, score - 0.01), (1.0, score + 0.01)] for pair, score in pairs})
    world.expect("trunks_share_nothing", ratios, verdict, "pairs of trunks")


@pytest.mark.parametrize(("agreement", "values", "verdict"), ORDERS)
def test_barriers_rise_as_perturbation_breaks_agreement(world, agreement, values, verdict):
    within(world, [[5.0, HIGH_TO_LOW[0]]] * 3, [[0.9, scores[0]] for scores in agreement])
    for trunk, scores in enumerate(agreement):
        for scale, barrier, score in zip((0.1, 0.5, 2.5), HIGH_TO_LOW[1:], scores[1:], strict=True):
            world.path("perturbed", str(trunk), 1, scale, barrier, score)
    world.expect("perturbation_breaks", values, verdict, "trunks")


def test_scale_0_of_a_perturbation_is_the_unperturbed_path(world):
    within(world, [[5.0, 0.0]] * 2, [[0.1, 0.9]] * 2)
    for trunk in ("0", "1"):
        for scale, barrier, score in ((0.1, 1.0, 0.5), (0.5, 2.0, 0.4)):
            world.path("perturbed", trunk, 1, scale, barrier, score)
    world.expect("perturbation_breaks", [-1, -1], "holds", "trunks")
