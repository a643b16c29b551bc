"""Claims about linear mode connectivity, on tables with known answers."""

import math

import pytest

PAIRS = ("0-1", "0-2", "1-2")
WHOLE = 4.0  # barrier across trunks, mean over splits
STABLE = "stable from the start: branches from step 0 are connected"


def within(world, barriers, agreement=None):
    """A trunk a list, of barriers by split step 0, 1, ..., over two pairs of branches each."""
    world.add("connections", "path", "run")
    for experiment, matrix, null in (("run", "a", 0.01), ("run", "b", 0.03), ("other", "a", 0.7)):
        world.add("matrices", experiment, matrix, 8, 9, null)
    for trunk, of_trunk in enumerate(barriers):
        scores = agreement[trunk] if agreement else [0.5] * len(of_trunk)
        for step, (barrier, score) in enumerate(zip(of_trunk, scores, strict=True)):
            for off in (-0.01, 0.01):
                world.path("within", str(trunk), step, 0.0, barrier + off, score)


def across(world, pairs):
    for trunks, of_pair in pairs.items():
        for step, (barrier, score) in enumerate(of_pair):
            world.path("across", trunks, step, 0.0, barrier, score)


def apart(world, last=2):
    """Trunks with barriers that are a whole one in the mean."""
    heights = [WHOLE - 1.0, *[WHOLE] * (last - 1), WHOLE + 1.0]
    across(world, {"0-1": [(height, 0.1) for height in heights]})


def test_last_barrier_is_over_that_across_trunks(world):
    def make(ratios):
        within(world, [[2.0, 7.0, WHOLE * ratio] for ratio in ratios])
        apart(world)

    cases = ([0.005, 0.006, 0.004], [0.9, 0.91, 0.92], [0.0, 0.02, 0.3])
    world.expect("late_split_connected", make, *cases, unit="trunks")


@pytest.mark.parametrize(
    ("barriers", "value", "note"),
    [
        ([[0.19, 0.2], [2.0, 0.2]], 0.05, f"{STABLE} (trunk 0)"),
        ([[2.0, 0.2]], 0.05, "one unit only (trunks): no interval"),
        (
            [[2.0, 0.2], [2.0, math.nan]],  # a branch diverged
            0.05,
            "barrier is not defined or not finite somewhere (trunk 1)",
        ),
    ],
)
def test_trunk_without_two_barriers_leaves_no_interval(world, barriers, value, note):
    within(world, barriers)
    apart(world)
    world.expect_no_verdict("late_split_connected", value, note)


@pytest.mark.parametrize(
    ("make", "note"),
    [
        (lambda world: None, "there is no barrier across trunks to compare with (trunk 0)"),
        (
            lambda world: across(world, {"0-1": [(1.0, 0.1), (-1.1, 0.1)]}),
            "there is no barrier across trunks (trunk 0)",
        ),
    ],
)
def test_without_a_barrier_across_trunks_there_is_no_measure(world, make, note):
    within(world, [[2.0, 0.2]], [[0.1, 0.9]])
    make(world)
    world.path("perturbed", "0", 1, 2.5, 2.0, 0.1)
    for claim in ("late_split_connected", "connected_share_directions", "perturbation_breaks"):
        world.expect_no_verdict(claim, None, note)


def test_late_branches_share_more_than_early_ones_and_much(world):
    def make(scores):
        within(world, [[2.0, 9.0, 0.1]] * 3, [[0.1, 0.99, score] for score in scores])
        apart(world)

    for scores, verdict in (
        ([0.8, 0.82, 0.84], "holds"),
        ([0.3, 0.32, 0.34], "does not hold"),
        ([0.3, 0.5, 0.8], "undecided"),
    ):
        for rows in world.rows.values():
            rows.clear()
        make(scores)
        finding = world.finding("connected_share_directions")
        assert finding.value == pytest.approx(sum(scores) / 3 - 0.1, abs=1e-4)
        assert finding.also["score"].value == pytest.approx(sum(scores) / 3, abs=1e-4)
        assert (finding.unit, finding.verdict) == ("trunks", verdict)


@pytest.mark.parametrize(
    ("barriers", "note"),
    [
        ([0.1, 0.01], STABLE),
        ([2.0, 0.3], "branches from the last split are not connected"),
    ],
)
def test_trunks_that_no_split_connects_share_nothing_to_explain(world, barriers, note):
    within(world, [barriers] * 2, [[0.1, 0.9]] * 2)
    apart(world)
    world.expect_no_verdict("connected_share_directions", None, f"{note} (trunk 0, trunk 1)")


def test_barrier_across_trunks_is_compared_with_those_within(world):
    def make(differences):
        within(world, [[9.0, 0.1], [9.0, 0.3], [9.0, 0.5]])
        heights = zip(PAIRS, (0.2, 0.3, 0.4), differences, strict=True)
        across(world, {pair: [(50.0, 0.1), (own + off, 0.1)] for pair, own, off in heights})

    cases = ([2.0, 2.1, 2.2], [-2.0, -2.1, -2.2], [-1.0, 0.0, 1.0])
    world.expect("trunks_unconnected", make, *cases, unit="trunks")


@pytest.mark.parametrize(
    ("num_splits", "barriers", "value", "note"),
    [
        (2, {"0-1": 2.3}, 2.1, "fewer than three trunks: pairs of two do not vary"),
        (
            *(2, {"0-1": 2.2, "0-2": 2.15, "1-2": 2.25}, 2.0),
            "all 3 trunks have one value, which is no certainty",
        ),
        (1, {"0-1": 2.0}, None, "the tables hold no barrier (trunks 0-1)"),
    ],
)
def test_note_says_what_is_wrong_with_pairs_of_trunks(world, num_splits, barriers, value, note):
    within(world, [[9.0, 0.1][:num_splits], [9.0, 0.3][:num_splits], [9.0, 0.2][:num_splits]])
    across(world, {pair: [(9.0, 0.1), (barrier, 0.1)] for pair, barrier in barriers.items()})
    world.expect_no_verdict("trunks_unconnected", value, note)


def test_agreement_across_trunks_is_over_its_null_level(world):
    def make(ratios):
        within(world, [[9.0, 0.1]] * 3, [[0.9, 0.9]] * 3)
        scores = [0.02 * ratio for ratio in ratios]  # 0.02 is the mean null level
        pairs = zip(PAIRS, scores, strict=True)
        across(world, {pair: [(1.0, score - 0.01), (1.0, score + 0.01)] for pair, score in pairs})

    cases = ([1.0, 1.1, 1.2], [5.0, 5.1, 5.2], [1.0, 2.0, 3.0])
    world.expect("trunks_share_nothing", make, *cases, unit="trunks")


def perturb(world, falls, rises):
    """By trunk, how far the largest perturbation takes agreement down and the barrier up."""
    within(world, [[5.0, 0.1]] * 3, [[0.1, 0.9]] * 3)
    across(world, {"0-1": [(WHOLE, 0.1), (WHOLE, 0.1)]})
    for trunk, (fall, rise) in enumerate(zip(falls, rises, strict=True)):
        for scale, barrier, score in ((0.1, 77.0, 0.0), (2.5, 0.1 + WHOLE * rise, 0.9 - fall)):
            world.path("perturbed", str(trunk), 1, scale, barrier, score)


LARGE, SMALL, WIDE = [0.5, 0.51, 0.52], [0.019, 0.02, 0.021], [0.0, 0.2, 0.6]


@pytest.mark.parametrize(
    ("falls", "rises", "verdict"),
    [
        (LARGE, LARGE, "holds"),
        (LARGE, SMALL, "does not hold"),
        (SMALL, LARGE, "does not hold"),
        (LARGE, WIDE, "undecided"),
        (WIDE, SMALL, "does not hold"),
    ],
)
def test_the_largest_perturbation_breaks_agreement_and_raises_the_barrier(
    world, falls, rises, verdict
):
    perturb(world, falls, rises)
    finding = world.finding("perturbation_breaks")
    assert finding.value == pytest.approx(sum(falls) / 3, abs=1e-4)
    assert finding.also["barrier"].value == pytest.approx(sum(rises) / 3, abs=1e-4)
    assert (finding.unit, finding.num_units, finding.verdict) == ("trunks", 3, verdict)


def test_where_branches_are_apart_already_a_perturbation_breaks_nothing(world):
    within(world, [[5.0, 0.3]] * 2)
    across(world, {"0-1": [(WHOLE, 0.1), (WHOLE, 0.1)]})
    for trunk in ("0", "1"):
        world.path("perturbed", trunk, 1, 2.5, 3.0, 0.1)
    note = "branches are not connected without a perturbation (trunk 0, trunk 1)"
    world.expect_no_verdict("perturbation_breaks", None, note)
