"""Claims that compare experiments, or tickets, on tables with known answers."""

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
    def make(differences):
        base = [0.4, 0.5, 0.6]  # which differ more between seeds than the two runs do
        world.run("base", base)
        world.run("other", [a + b for a, b in zip(base, differences, strict=True)])

    if role is None:
        world.labels(true="base", random="other")
    else:
        world.roles(no_decay="base", **{role: "other"})
    world.expect(claim, make, holds, fails, BOTH)


RANKS = {
    1: [0.9, 0.8, 0.7, 0.6, 0.5],
    0.9: [0.8, 0.9, 0.7, 0.6, 0.5],
    -1: [0.5, 0.6, 0.7, 0.8, 0.9],
    None: [0.5] * 5,
}  # by their rank correlation with a falling loss


def grok(world, correlations, fitted=20):
    """Training fits at a step; from there on validation loss falls and ranks go as wanted."""
    world.roles(decay="run")
    for seed, correlation in enumerate(correlations):
        for index, rank in enumerate([0.1, 0.2, *RANKS[correlation]]):
            step, loss = 10 * index, 3.0 + index if index < 2 else 2.0 - 0.1 * index
            error = 0.01 if step >= fitted else 0.5
            world.add("history", "run", seed, step, "train", "error", error)
            world.add("history", "run", seed, step, "validation", "loss", loss)
            world.add("history", "run", seed, step, "train", "loss", 9.0 * index)
            for matrix, off in (("a", -0.05), ("b", 0.05)):
                world.add("spectra", "run", seed, step, matrix, rank + off)


def test_loss_and_rank_fall_together_after_training_fits(world):
    cases = ([1, 1, 0.9], [-1, -1, -1], [1, 1, -1])
    world.expect("grokking_coincides", lambda values: grok(world, values), *cases)


@pytest.mark.parametrize(
    ("correlations", "fitted", "value", "note"),
    [
        ([1, 1], 1000, None, "training accuracy does not reach 99% (seed 0, seed 1)"),
        ([1, None], 20, 1, "a constant has no rank correlation (seed 1)"),
    ],
)
def test_seed_without_a_correlation_leaves_no_interval(world, correlations, fitted, value, note):
    grok(world, correlations, fitted)
    world.expect_no_verdict("grokking_coincides", value, note)


def test_rank_is_ordered_by_weight_decay(world):
    decays = {"d10": 10.0, "d1e2": 0.01, "base": 0.1, "d0": 0.0}  # not in the order of their names

    def make(correlations):
        for name, rank in zip(decays, (0.1, 0.6, 0.4, 0.8), strict=True):
            world.run(name, [rank if value < 0 else 1 - rank for value in correlations])

    world.series(decays, base="base")
    world.expect("decay_lowers_rank", make, [-1, -1, -1], [1, 1, 1], [-1, -1, 1])
    assert list(world.scorecard()["decay_lowers_rank"].subjects) == ["base"]


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


def test_alignment_of_middle_pairs_is_compared(world):
    world.expect("memorization_unaligned", lambda values: align(world, values), LOWER, HIGHER, BOTH)


def test_two_pairs_have_no_middle(world):
    align(world, [0.1] * 3, pairs=("first", "last"))
    note = "there are no middle pairs (seed 0, seed 1, seed 2)"
    world.expect_no_verdict("memorization_unaligned", None, note)


def ticket(world, name, kind, scores=(), density=0.05, step=30, experiment="run"):
    world.add("tickets", name, experiment, kind, density, step)
    for seed, score in enumerate(scores):
        for matrix, off in (("a", -0.01), ("b", 0.01)):
            world.add("ticket_masks", name, seed, matrix, density, score + off)


def test_magnitude_masks_are_compared_with_random_ones(world):
    def make(differences):
        base = [0.1, 0.2, 0.3]
        ticket(world, "large", "magnitude", [a + b for a, b in zip(base, differences, strict=True)])
        ticket(world, "random", "random", base)
        ticket(world, "new", "reinitialized", [0.9] * 3)

    cases = ([0.5, 0.51, 0.52], [0.01, 0.02, 0.03], [0.0, 0.1, 0.3])
    world.expect("tickets_keep_top", make, *cases)


def test_tickets_are_compared_at_one_source_density_and_step(world):
    ticket(world, "t0", "magnitude", [0.1, 0.2])
    ticket(world, "t1", "reinitialized", [0.1, 0.2])
    for number, other in enumerate(({"density": 0.1}, {"step": 60}, {"experiment": "other"})):
        ticket(world, f"other{number}", "random", [0.1, 0.2], **other)
    assert world.scorecard()["tickets_keep_top"].subjects == {}
    ticket(world, "match", "random", [0.1, 0.2])
    subjects = world.scorecard()["tickets_keep_top"].subjects
    assert list(subjects) == ["run, density 0.05, step 30"]
