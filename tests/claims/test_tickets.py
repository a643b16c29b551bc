"""The claim about lottery tickets, on tables with known answers."""


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

    world.expect(
        "tickets_keep_top",
        make,
        holds=[0.5, 0.51, 0.52],
        fails=[0.01, 0.02, 0.03],
        undecided=[0.0, 0.1, 0.3],
    )


def test_tickets_are_compared_at_one_source_density_and_step(world):
    ticket(world, "t0", "magnitude", [0.1, 0.2])
    ticket(world, "t1", "reinitialized", [0.1, 0.2])
    for number, other in enumerate(({"density": 0.1}, {"step": 60}, {"experiment": "other"})):
        ticket(world, f"other{number}", "random", [0.1, 0.2], **other)
    assert world.scorecard()["tickets_keep_top"].subjects == {}
    ticket(world, "match", "random", [0.1, 0.2])
    subjects = world.scorecard()["tickets_keep_top"].subjects
    assert list(subjects) == ["run, density 0.05, step 30"]
