"""Claims that compare experiments, or tickets, on tables with known answers."""

import numpy as np
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
        world.run("base", base, error=0.9)
        world.run("other", [a + b for a, b in zip(base, differences, strict=True)], error=0.01)

    if role is None:
        world.labels(true="base", random="other")
    else:
        world.roles(no_decay="base", **{role: "other"})
    world.expect(claim, make, holds, fails, BOTH)


@pytest.mark.parametrize(
    ("claim", "role", "errors", "note"),
    [
        (
            "grokking_is_low_rank",
            "decay",
            (0.9, 0.2),
            "other does not generalize",
        ),
        ("more_data_low_rank", "most_data", (0.01, 0.0), "base generalizes too"),
    ],
)
def test_ranks_of_runs_that_show_no_difference_are_not_compared(world, claim, role, errors, note):
    for name, error in zip(("base", "other"), errors, strict=True):
        world.run(name, [0.5, 0.6], error)
    world.roles(no_decay="base", **{role: "other"})
    world.expect_no_verdict(claim, None, f"{note} (seed 0, seed 1)")


def test_labels_that_were_not_memorized_are_not_compared(world):
    world.labels(true="base", random="other")
    world.run("base", [0.5, 0.6])
    world.run("other", [0.5, 0.6], fitted=False)
    note = "other does not memorize (seed 0, seed 1)"
    world.expect_no_verdict("memorization_is_high_rank", None, note)


def grok(world, octaves, *, fitted=20, errors=(0.9, 0.9, 0.0, 0.0), fall=0.4):
    """Errors halve at step 400; rank has made half of its fall so many octaves later."""
    world.roles(decay="run")
    steps = [20, 300, 500, 2000]
    for seed, octave in enumerate(octaves):
        half = 400 * 2.0**octave
        world.add("history", "run", seed, 10, "train", "error", 0.5)
        world.add("history", "run", seed, 10, "validation", "error", 0.01)
        for step in steps:
            train = 0.01 if step >= fitted else 0.5
            world.add("history", "run", seed, step, "train", "error", train)
        for step in sorted({*steps, half - 10, half + 10}):
            error = np.interp(step, steps, errors)
            world.add("history", "run", seed, step, "validation", "error", error)
            for matrix, off in (("a", -0.05), ("b", 0.05)):
                rank = 0.8 - (fall if step > half else 0.0)
                world.add("spectra", "run", seed, step, matrix, rank + off)


def test_rank_falls_when_the_error_does(world):
    cases = ([0.1, 0.15, 0.2], [1.6, 1.7, 1.8], [0.0, 1.0, 2.0])
    world.expect("grokking_coincides", lambda values: grok(world, values), *cases)


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"fitted": 5000}, "training accuracy does not reach 99%"),
        ({"errors": (0.9, 0.9, 0.8, 0.7)}, "the validation error does not halve"),
        ({"errors": (0.05, 0.02, 0.0, 0.0)}, "generalizes as soon as training data are fitted"),
        ({"fall": 0.0}, "rank does not fall"),
    ],
)
def test_run_that_does_not_grok_has_no_value(world, changes, note):
    grok(world, [0.1, 0.1], **changes)
    world.expect_no_verdict("grokking_coincides", None, f"{note} (seed 0, seed 1)")


def test_rank_is_fitted_by_a_line_over_weight_decays_in_order(world):
    decays = {"d10": 10.0, "d1e2": 0.01, "base": 0.1, "d0": 0.0}  # not in the order of their names

    def make(changes):
        offs = {"d0": 0.1, "d1e2": -0.1, "base": -0.1, "d10": 0.1}  # no trend of their own
        for place, (name, off) in enumerate(offs.items()):
            world.run(name, [0.5 + change * place / 3 + off for change in changes])

    world.series(decays, base="base")
    cases = ([-0.3, -0.31, -0.32], [0.3, 0.31, 0.32], [-0.3, -0.1, 0.3])
    world.expect("decay_lowers_rank", make, *cases)
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
