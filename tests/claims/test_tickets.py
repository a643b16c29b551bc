"""The claim about lottery tickets, on tables with known answers."""

import pytest


def ticket(world, name, kind, scores=(), density=0.05, step=30, experiment="run"):
    world.add("tickets", name, experiment, kind, density, step)
    for seed, score in enumerate(scores):
        for matrix, off in (("a", -0.01), ("b", 0.01)):
            world.add("ticket_masks", name, seed, matrix, density, score + off)


@pytest.mark.parametrize(
    ("differences", "verdict"),
    [
        ([0.5, 0.51, 0.52], "holds"),
        ([0.01, 0.02, 0.03], "does not hold"),
        ([0.0, 0.1, 0.3], "undecided"),
    ],
)
def test_magnitude_masks_are_compared_with_random_ones(world, differences, verdict):
    base = [0.1, 0.2, 0.3]
    ticket(world, "large", "magnitude", [a + b for a, b in zip(base, differences, strict=True)])
    ticket(world, "random", "random", base)
    ticket(world, "new", "reinitialized", [0.9] * 3)
    world.expect("tickets_keep_top", differences, verdict)


def test_tickets_are_compared_at_one_source_density_and_step(world):
    ticket(world, "t0", "magnitude", [0.1, 0.2])
    ticket(world, "t1", "reinitialized", [0.1, 0.2])
    for number, other in enumerate(({"density": 0.1}, {"step": 60}, {"experiment": "other"})):
        ticket(world, f"other{number}", "random", [0.1, 0.2], **other)
    judged = world.scorecard()["tickets_keep_top"]
    assert judged.subjects == {}
    assert judged.absent.startswith("params.yaml lacks a magnitude and a random ticket")
    ticket(world, "match", "random", [0.1, 0.2])
    subjects = world.scorecard()["tickets_keep_top"].subjects
    assert list(subjects) == ["run, density 0.05, step 30"]
