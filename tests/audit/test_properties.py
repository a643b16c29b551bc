"""Over made-up runs of many kinds: exactly the guilty are named, and no honest run is flagged."""

import random
from itertools import product

import numpy as np
import pytest
from tests.audit.made_up_runs import (
    KINDS,
    NOISY,
    TOLD,
    faster_at_last,
    large_steps,
    learned,
    made_up,
    turning_over,
)
from tests.audit.made_up_steps import audit_of, hasty_run, named_of

SEEDS = range(14)  # of each of 15 kinds: 210 honest runs


@pytest.mark.parametrize("kind", KINDS)
def test_no_honest_run_is_flagged(kind):
    assert {seed: named for seed in SEEDS if (named := named_of(made_up(kind, seed)))} == {}


def moved(run, places):
    """The run with the steps at these places exchanged, each by the next."""
    result = list(run)
    for place, source in zip(places, places[1:] + places[:1], strict=True):
        result[place] = run[source]
    return result


def faults(choose, count):
    """Places that are exchanged: neighbours, any two, three or four."""
    first = choose.randrange(count - 1)
    yield [first, first + 1]
    yield choose.sample(range(count), 2)
    yield choose.sample(range(count), choose.choice([3, 4]))


def cases(kinds, seeds):
    """Runs with a fault, and the places that are guilty."""
    for kind, seed in product(kinds, seeds):
        choose = random.Random(seed)
        run = made_up(kind, 100 + seed, count=choose.randint(8, 40))
        for places in faults(choose, len(run)):
            yield moved(run, places), set(places)


def test_exactly_the_exchanged_steps_are_named():
    """Where a swap of near equal steps cannot be told, less is said, but no innocent named."""
    exact = []
    for run, guilty in cases(TOLD, range(3)):
        found = named_of(run)
        assert {place for place, _ in found} <= guilty
        exact.append(found == {(place, "out_of_order") for place in guilty})
    assert sum(exact) >= 0.95 * len(exact)


def test_what_noise_hides_is_not_guessed():
    """The negative control: the same faults where each step is mostly noise of its own."""
    for run, guilty in cases(["stationary", "annealed", "restarts"], range(2)):
        assert {place for place, _ in named_of(run)} <= guilty


def copied(run, places, source, names):
    result = [dict(state) for state in run]
    for place in places:
        result[place] |= {name: run[source][name] for name in names}
    return result


@pytest.mark.parametrize("kind", sorted(TOLD.keys() - {"mostly frozen"}))
def test_copies_are_named_and_their_source_is_not(kind):
    for seed in range(3):
        choose = random.Random(seed)
        run = made_up(kind, 200 + seed, count=choose.randint(8, 40))
        source = choose.choice([len(run) - 1, choose.randrange(len(run))])
        apart = [place for place in range(len(run)) if abs(place - source) > 1]
        places = choose.sample(apart, 2)
        some = named_of(copied(run, places, source, list(run[0])[:2]))
        assert some <= {(place, "of_another_step") for place in [*places, source]}
        assert some >= {(place, "of_another_step") for place in places}
        if abs(places[0] - places[1]) > 1:
            place = places[0]
            assert (place, "identical") in named_of(copied(run, [place], source, run[0]))


def test_copies_in_runs_of_noise_are_found_even_if_not_whose_they_are():
    for kind in NOISY:
        run = made_up(kind, 300, count=12)
        assert named_of(copied(run, [3], 8, list(run[0])[:2])) & {
            (3, "of_another_step"),
            (8, "of_another_step"),
        }


def with_step_of(run, other, place):
    """The run with a step of another one of its kind; their weights are of one size."""
    foreign = {n: w * (run[place][n].norm() / w.norm()) for n, w in other[place].items()}
    return [*run[:place], foreign, *run[place + 1 :]]


def test_step_of_another_run_is_named():
    for kind in KINDS:
        run, other = made_up(kind, 0, count=10), made_up(kind, 1, count=10)
        for place in (1, 5, 9):
            found = named_of(with_step_of(run, other, place))
            if (kind, place) != ("restarts", 9):  # its noise is as large as the weights
                assert (place, "another_initialization") in found
            assert {one for one, _ in found} <= {place}


@pytest.mark.parametrize("kind", KINDS)
def test_first_step_of_another_run_is_noted_only(kind, tmp_path):
    run, other = made_up(kind, 0, count=10), made_up(kind, 1, count=10)
    audit = audit_of(tmp_path, with_step_of(run, other, 0))
    assert audit.flags == ()
    assert unrelated_in(audit) == "step 0"


def unrelated_in(audit):
    """The steps that an audit notes to be unrelated."""
    (note,) = (note for note in audit.notes if note.startswith("Unrelated"))
    assert "cannot be told" in note
    return note.partition(": ")[2].partition(". It")[0]


FORGETTING = {
    "all of it": lambda time: 0.0,
    "next to all": lambda time: 0.05,
    "as much as is called unrelated": lambda time: 0.1,
    "half": lambda time: 0.5,
    "ever less": lambda time: float(np.exp(-6 * np.exp(-time / 4))),
    "in a cycle": lambda time: float(np.exp(-3 * (0.3 + np.cos(time) ** 2))),
    "nine times as fast once": lambda time: 0.78 ** (9 if time == 4 else 1),
    "nine times as fast at first": lambda time: 0.65 ** (9 if time == 0 else 1),
}


@pytest.mark.parametrize("kind", FORGETTING)
def test_no_run_is_flagged_whose_weights_turn_over_between_steps(kind):
    for seed in range(6):
        run = turning_over(FORGETTING[kind], seed)
        assert named_of(run) == set()


@pytest.mark.parametrize("drift", [0.0, 0.03, 0.3])
@pytest.mark.parametrize("kept", [0.0, 0.02, 0.5, 0.9])
def test_no_run_is_flagged_that_forgets_its_start_and_keeps_what_it_learns(kept, drift):
    for seed, share in enumerate((0.1, 0.3, 0.5, 0.7, 0.9, 0.99)):
        assert named_of(learned(share, kept, drift, seed)) == set()


def test_no_training_is_called_foreign_that_forgets_its_start_and_keeps_what_it_learns():
    """Of its first 5 steps, 8 and all; whether they seem out of order is not asked here."""
    for run in map(hasty_run, range(6)):
        for count in (5, 8, 12):
            assert "another_initialization" not in {flag for _, flag in named_of(run[:count])}


@pytest.mark.parametrize("rates", [(0.25,), (0.3, 3.0), (0.1, 0.3, 1.0), (0.3, 0.3, 0.3, 9.0)])
def test_no_run_is_flagged_whose_parts_are_forgotten_nine_times_as_fast_at_last(rates):
    for seed in range(6):
        assert named_of(faster_at_last(rates, seed)) == set()


@pytest.mark.parametrize("place", [2, 5, 10, 11])
def test_foreign_step_is_named_in_a_run_that_keeps_what_it_learns(place):
    for seed in range(3):
        run, other = (learned(0.95, 0.5, 0.0, number)[:12] for number in (seed, 3 + seed))
        assert named_of(with_step_of(run, other, place)) == {(place, "another_initialization")}


def test_last_step_is_noted_only_where_steps_may_be_counted_only(tmp_path):
    """Negative control: where they go on by 10, it is named."""
    run, other = made_up("random walk", 0, count=6), made_up("random walk", 1, count=6)
    foreign = with_step_of(run, other, 5)
    assert flagged(audit_of(tmp_path / "a", foreign)) == [(50, "another_initialization")]
    for numbers in (range(6), (0, 10, 20, 30, 40, 41)):
        audit = audit_of(tmp_path / "b", foreign, numbers=numbers)
        assert audit.flags == ()
        assert unrelated_in(audit) == f"step {numbers[-1]}"
    between = audit_of(tmp_path / "c", with_step_of(run, other, 2), numbers=range(6))
    assert flagged(between) == [(2, "another_initialization")]


def flagged(audit):
    return [(flag.step, flag.flag) for flag in audit.flags]


@pytest.mark.parametrize("size", [1.0, 3.0, 10.0, 100.0])
def test_no_walk_of_large_steps_is_flagged(size):
    for seed in range(6):
        assert named_of(large_steps(size, seed)) == set()


def test_no_restart_is_flagged_at_last_that_is_as_fast_as_the_run_was_before():
    """The steps before it are slow: those of a cosine schedule that has come to its end."""
    for seed in range(6):
        run = turning_over(lambda time: np.exp(-1.5 - 1.5 * np.cos(np.pi * (time % 10) / 10)), seed)
        assert named_of(run[:12]) == set()


def test_foreign_step_is_named_while_those_around_it_are_related():
    """Where a step keeps 0.6 of the one before, steps on both sides still have 0.36."""
    for seed in range(6):
        run, other = (turning_over(lambda time: 0.6, number) for number in (seed, 50 + seed))
        place = len(run) // 2
        assert named_of(with_step_of(run, other, place)) == {(place, "another_initialization")}


def test_what_cannot_be_told_of_unrelated_steps_is_noted(tmp_path):
    audit = audit_of(tmp_path, turning_over(lambda time: 0.0, 0)[:4])
    assert audit.flags == ()
    assert unrelated_in(audit) == "step 0, 10, 20"


def test_limit_that_was_used_is_told(tmp_path):
    run, other = made_up("random walk", 0, count=10), made_up("random walk", 1, count=10)
    name = "layers.0.weight"  # of 320 entries
    scaled = {name: run[5][name].std() / other[5][name].std() * other[5][name]}
    (flag,) = audit_of(tmp_path, [*run[:5], run[5] | scaled, *run[6:]]).flags
    assert "cosine with all other steps is under 0.22;" in flag.evidence  # 4 / sqrt(320)
    notes = " ".join(audit_of(tmp_path, with_step_of(run, other, 0)).notes)
    assert "(cosine under 0.1, 0.087 with step 0): step 0." in notes  # 4 / sqrt(2,120)


def test_shard_of_another_run_is_named_with_its_tensors():
    run, other = made_up("random walk", 0, count=10), made_up("random walk", 1, count=10)
    scaled = {"layers.1.weight": run[5]["layers.1.weight"].std() * other[5]["layers.1.weight"]}
    mixed = [*run[:5], run[5] | scaled, *run[6:]]
    assert named_of(mixed) == {(5, "another_initialization")}


def test_tensors_that_are_exchanged_in_part_are_named():
    """Three of four tensors of two steps; together they say no, one by one they agree."""
    run = [dict(state) for state in made_up("random walk", 3, count=12)]
    extra = made_up("random walk", 4, count=12)
    for state, more in zip(run, extra, strict=True):
        state |= {f"more.{name}": weight for name, weight in more.items()}
    names = ["layers.0.weight", "layers.1.weight", "layers.3.weight"]
    for name in names:
        run[3][name], run[8][name] = run[8][name], run[3][name]
    assert named_of(run) == {(3, "out_of_order"), (8, "out_of_order")}
