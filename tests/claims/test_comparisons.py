"""Claims that compare experiments, on tables with known answers."""

import pytest

LOWER, HIGHER, BOTH = [-0.3, -0.31, -0.32], [0.3, 0.31, 0.32], [-0.3, 0.0, 0.3]


@pytest.mark.parametrize(
    ("claim", "role", "holds", "fails"),
    [
        ("grokking_is_low_rank", "decay", LOWER, HIGHER),
        ("more_data_low_rank", "most_data", LOWER, HIGHER),
        ("memorization_is_high_rank", None, HIGHER, LOWER),
    ],
)
def test_final_rank_is_compared_seed_by_seed(world, claim, role, holds, fails):
    if role is None:
        world.labels(true="base", random="other")
    else:
        world.roles(no_decay="base", **{role: "other"})
    base = [0.4, 0.5, 0.6]  # which differ more between seeds than the two runs do
    for differences, verdict in (
        (holds, "holds"),
        (fails, "does not hold"),
        (BOTH, "undecided"),
    ):
        world.rows["spectra"].clear()
        world.run("base", base)
        world.run("other", [a + b for a, b in zip(base, differences, strict=True)])
        world.expect(claim, differences, verdict)


FALLING, RISING = [0.9, 0.8, 0.7, 0.6, 0.5], [0.5, 0.6, 0.7, 0.8, 0.9]
NEARLY = [0.8, 0.9, 0.7, 0.6, 0.5]  # rank correlation 0.9 with a falling loss


def grok(world, ranks, fitted=20):
    """Training fits at a step; from there on validation loss falls and rank goes as given."""
    world.roles(decay="run")
    for seed, after in enumerate(ranks):
        for index, rank in enumerate([0.1, 0.2, *after]):
            step, loss = 10 * index, 3.0 + index if index < 2 else 2.0 - 0.1 * index
            error = 0.01 if step >= fitted else 0.5
            world.add("history", "run", seed, step, "train", "error", error)
            world.add("history", "run", seed, step, "validation", "loss", loss)
            world.add("history", "run", seed, step, "train", "loss", 9.0 * index)
            for matrix, off in (("a", -0.05), ("b", 0.05)):
                world.add("spectra", "run", seed, step, matrix, rank + off)


@pytest.mark.parametrize(
    ("ranks", "values", "verdict"),
    [
        ([FALLING, FALLING, NEARLY], [1, 1, 0.9], "holds"),
        ([RISING] * 3, [-1] * 3, "does not hold"),
        ([FALLING, FALLING, RISING], [1, 1, -1], "undecided"),
    ],
)
def test_loss_and_rank_fall_together_after_training_fits(world, ranks, values, verdict):
    grok(world, ranks)
    world.expect("grokking_coincides", values, verdict)


@pytest.mark.parametrize(
    ("ranks", "fitted", "value", "note"),
    [
        ([FALLING] * 2, 1000, None, "training accuracy does not reach 99% (seed 0, seed 1)"),
        ([FALLING, [0.5] * 5], 20, 1, "a constant has no rank correlation (seed 1)"),
    ],
)
def test_seed_without_a_correlation_leaves_no_interval(world, ranks, fitted, value, note):
    grok(world, ranks, fitted)
    finding = world.finding("grokking_coincides")
    assert (finding.value, finding.low, finding.verdict) == (value, None, "undecided")
    assert finding.note == note


@pytest.mark.parametrize(
    ("values", "verdict"),
    [([-1, -1, -1], "holds"), ([1, 1, 1], "does not hold"), ([-1, -1, 1], "undecided")],
)
def test_rank_is_ordered_by_weight_decay(world, values, verdict):
    decays = {"d10": 10.0, "d1e2": 0.01, "base": 0.1, "d0": 0.0}  # not in the order of their names
    for name, rank in zip(decays, (0.1, 0.6, 0.4, 0.8), strict=True):
        world.run(name, [rank if value < 0 else 1 - rank for value in values])
    world.series(decays, base="base")
    assert list(world.scorecard()["decay_lowers_rank"].subjects) == ["base"]
    world.expect("decay_lowers_rank", values, verdict)


def align(world, differences, pairs=("first", "x", "y", "last")):
    """Middle pairs of random labels differ by so much from those of true ones."""
    world.labels("true", "random")
    for name, off in (("true", [0.0] * 3), ("random", differences)):
        world.run(name, [0.5] * 3)
        for depth, pair in reversed(list(enumerate(pairs))):
            world.add("pairs", name, pair, depth, 0.05)
            for seed in range(3):
                score = 0.4 + off[seed] if pair in "xy" else {"true": 0.0, "random": 1.0}[name]
                world.add("alignment", name, seed, 10, pair, score)
                world.add("alignment", name, seed, 0, pair, 0.99)


@pytest.mark.parametrize(
    ("differences", "verdict"),
    [(LOWER, "holds"), (HIGHER, "does not hold"), (BOTH, "undecided")],
)
def test_alignment_of_middle_pairs_is_compared(world, differences, verdict):
    align(world, differences)
    world.expect("memorization_unaligned", differences, verdict)


def test_two_pairs_have_no_middle(world):
    align(world, [0.1] * 3, pairs=("first", "last"))
    finding = world.finding("memorization_unaligned")
    assert (finding.value, finding.verdict) == (None, "undecided")
    assert finding.note.startswith("there are no middle pairs")
