"""Claims that compare experiments, on tables with known answers."""

import pytest

BELOW = [
    ([-0.3, -0.31, -0.32], "holds"),
    ([0.3, 0.31, 0.32], "does not hold"),
    ([-0.3, 0.0, 0.3], "undecided"),
]


@pytest.mark.parametrize(
    ("claim", "role"), [("grokking_is_low_rank", "decay"), ("more_data_low_rank", "most_data")]
)
@pytest.mark.parametrize(("difference", "verdict"), BELOW)
def test_rank_is_compared_with_the_run_without_decay(world, claim, role, difference, verdict):
    world.roles(no_decay="plain", **{role: "other"})
    base = [0.4, 0.5, 0.6]  # which differ more between seeds than the two runs do
    world.run("plain", base)
    world.run("other", [a + b for a, b in zip(base, difference, strict=True)])
    world.run("other", [9.0] * 3, step=5)
    finding = world.finding(claim)
    assert finding.value == pytest.approx(sum(difference) / 3)
    assert (finding.num_units, finding.unit, finding.verdict) == (3, "seeds", verdict)


def grok(world, ranks, fitted=20):
    """Training fits at a step; from there on validation loss falls and rank goes as given."""
    world.roles(decay="run")
    for seed, after in enumerate(ranks):
        for index, rank in enumerate([0.1, 0.2, *after]):
            step, loss = 10 * index, 3.0 + index if index < 2 else 2.0 - 0.1 * index
            error = 0.01 if step >= fitted else 0.5
            world.add("history", "run", seed, step, 1.0, "train", "error", error)
            world.add("history", "run", seed, step, 1.0, "validation", "loss", loss)
            world.add("history", "run", seed, step, 1.0, "train", "loss", 9.0 * index)
            for matrix, off in (("a", -0.05), ("b", 0.05)):
                world.add("spectra", "run", seed, step, 1.0, matrix, rank + off)
    return world.finding("grokking_coincides")


FALLING, RISING = [0.9, 0.8, 0.7, 0.6, 0.5], [0.5, 0.6, 0.7, 0.8, 0.9]
NEARLY = [0.8, 0.9, 0.7, 0.6, 0.5]  # rank correlation 0.9 with a falling loss


@pytest.mark.parametrize(
    ("ranks", "value", "verdict"),
    [
        ([FALLING, FALLING, NEARLY], 0.96667, "holds"),
        ([RISING, RISING, RISING], -1, "does not hold"),
        ([FALLING, FALLING, RISING], 0.33333, "undecided"),
    ],
)
def test_loss_and_rank_fall_together_after_training_fits(world, ranks, value, verdict):
    finding = grok(world, ranks)
    assert (finding.value, finding.num_units, finding.verdict) == (value, 3, verdict)


def test_run_that_does_not_fit_has_no_answer(world):
    finding = grok(world, [FALLING, FALLING], fitted=1000)
    assert (finding.value, finding.verdict) == (None, "undecided")
    assert finding.note == "training accuracy does not reach 99% (seed 0, seed 1)"


def test_constant_rank_has_no_correlation(world):
    finding = grok(world, [FALLING, [0.5] * 5])
    assert (finding.value, finding.low, finding.verdict) == (1, None, "undecided")
    assert finding.note == "a constant has no rank correlation (seed 1)"


@pytest.mark.parametrize(
    ("orders", "value", "verdict"),
    [
        ([[4, 3, 2, 1, 0]] * 3, -1, "holds"),
        ([[0, 1, 2, 3, 4]] * 3, 1, "does not hold"),
        ([[4, 3, 2, 1, 0], [4, 3, 2, 1, 0], [0, 1, 2, 3, 4]], -0.33333, "undecided"),
    ],
)
def test_rank_is_ordered_by_weight_decay(world, orders, value, verdict):
    decays = {f"d{i}": decay for i, decay in enumerate([0.0, 1e-3, 1e-2, 0.1, 10.0])}
    for index, name in enumerate(decays):
        world.run(name, [0.3 + 0.1 * order[index] for order in orders])
    world.series(decays, base="d1")
    assert list(world.judged("decay_lowers_rank").subjects) == ["d1"]
    finding = world.finding("decay_lowers_rank")
    assert (finding.value, finding.num_units, finding.verdict) == (value, 3, verdict)


def test_order_of_names_is_not_the_order_of_weight_decays(world):
    decays = {"d10": 10.0, "d1e2": 0.01, "base": 0.1, "d0": 0.0}  # sorted keys are in neither
    for name, rank in zip(decays, (0.2, 0.5, 0.4, 0.6), strict=True):
        world.run(name, [rank, rank])
    world.series(dict(sorted(decays.items())), base="base")
    assert world.groups.weight_decay["base"].ascending == ["d0", "d1e2", "base", "d10"]
    assert world.finding("decay_lowers_rank").value == -1


@pytest.mark.parametrize(
    ("difference", "verdict"),
    [
        ([0.3, 0.31, 0.32], "holds"),
        ([-0.3, -0.31, -0.32], "does not hold"),
        ([-0.3, 0.0, 0.3], "undecided"),
    ],
)
def test_rank_of_random_labels_is_compared_with_that_of_true_ones(world, difference, verdict):
    world.labels("true", "random")
    world.run("true", [0.4] * 3)
    world.run("random", [0.4 + one for one in difference])
    finding = world.finding("memorization_is_high_rank")
    assert finding.value == pytest.approx(sum(difference) / 3)
    assert (finding.num_units, finding.verdict) == (3, verdict)


def align(world, difference, pairs=("first", "x", "y", "last")):
    """Middle pairs of random labels differ by so much from those of true ones."""
    world.labels("true", "random")
    for name, off in (("true", [0.0] * 3), ("random", difference)):
        world.run(name, [0.5] * 3)
        for depth, pair in reversed(list(enumerate(pairs))):
            world.add("pairs", name, pair, depth, 0.05)
            for seed in range(3):
                score = 0.4 + off[seed] if pair in "xy" else {"true": 0.0, "random": 1.0}[name]
                world.add("alignment", name, seed, 10, 1.0, pair, score)
                world.add("alignment", name, seed, 0, 0.0, pair, 0.99)
    return world.finding("memorization_unaligned")


@pytest.mark.parametrize(("difference", "verdict"), BELOW)
def test_alignment_of_middle_pairs_is_compared(world, difference, verdict):
    finding = align(world, difference)
    assert finding.value == pytest.approx(sum(difference) / 3)
    assert (finding.num_units, finding.verdict) == (3, verdict)


def test_two_pairs_have_no_middle(world):
    finding = align(world, [0.1] * 3, pairs=("first", "last"))
    assert (finding.value, finding.verdict) == (None, "undecided")
    assert finding.note.startswith("there are no middle pairs")
