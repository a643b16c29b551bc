"""Tensors of another step are named with the steps that have them, and not where they are from."""

import pytest
import torch
from tests.audit.made_up_steps import audit_of, flags_of, named, shards


@pytest.mark.parametrize(("count", "places"), [(12, (5, 7)), (20, (6, 13)), (12, (0, 1, 2))])
def test_shard_of_the_last_step_is_named_with_steps_and_tensors(tmp_path, count, places):
    weights, shard = shards(count)
    for place in places:
        weights[place] |= {name: weights[-1][name] for name in shard}
    flags = audit_of(tmp_path, weights).flags
    assert [(flag.step, flag.flag) for flag in flags] == named("of_another_step", places)
    assert {flag.tensor for flag in flags} == {", ".join(shard)}
    between = 10 * min(place for place in range(places[0], count) if place not in places)
    said = f"3 of 6 tensors: bit for bit that of step {10 * (count - 1)}, and differs at "
    assert flags[0].evidence == f"{said}step {between}"


def test_of_identical_neighbours_it_is_said_that_none_need_be_a_copy(tmp_path):
    """A warm-up from a learning rate of 0 leaves step 1 as step 0 is."""
    weights, _ = shards(8)
    flags = audit_of(tmp_path, [weights[0], *weights]).flags
    assert [(flag.step, flag.flag) for flag in flags] == named("identical", (0, 1))
    assert flags[0].evidence == (
        "every tensor is that of step 10; one is a copy, or nothing was trained between"
    )


def test_few_entries_that_come_back_are_no_copy():
    """A scale that is clipped, and a norm of few entries in few bits."""
    weights, _ = shards(8)
    for time, state in enumerate(weights):
        state["scale"] = torch.tensor(min(4.6, 4.0 + time % 3))
        state["norm.weight"] = 1 + torch.eye(8)[0] * (time % 2) / 128
    assert flags_of(weights) == []


def test_tensor_that_stays_for_a_while_is_no_copy():
    """Unfrozen midway, and frozen again."""
    weights, shard = shards(9)
    for place in (0, 1, 2, 7, 8):
        weights[place] |= {name: weights[2 if place < 3 else 7][name] for name in shard}
    assert flags_of(weights) == []


def test_one_step_that_differs_where_all_others_are_equal_is_named(tmp_path):
    weights, shard = shards(9)
    for place in (*range(4), *range(5, 9)):
        weights[place] |= {name: weights[0][name] for name in shard}
    (flag,) = audit_of(tmp_path, weights).flags
    assert (flag.step, flag.flag) == (40, "altered")
    assert "equal, bit for bit, at 8 steps before and after" in flag.evidence


def test_frozen_tensors_are_told_and_no_fault(tmp_path):
    weights, shard = shards(5)
    for state in weights:
        state |= {name: weights[0][name] for name in shard}
    audit = audit_of(tmp_path, weights)
    assert (audit.flags, audit.frozen) == ((), tuple(shard))
    assert f"3 tensors are the same at all steps (frozen): {', '.join(shard)}" in audit.notes


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_steps_of_nothing_but_nan_are_not_finite_and_no_copies(tmp_path, value):
    """Nor are those where nothing but what is frozen is left, nor is a tensor that is NaN twice."""
    weights, shard = shards(10)
    for state in weights:
        state["frozen.weight"] = torch.eye(6)
    for place in (3, 4, 8):
        weights[place] |= {n: torch.full_like(w, value) for n, w in weights[place].items()}
    for place in (5, 6):
        sick = {n: torch.full_like(w, value) for n, w in weights[place].items()}
        weights[place] |= sick | {"frozen.weight": torch.eye(6)}
    for place in (0, 2):
        weights[place][shard[0]] = torch.full_like(weights[place][shard[0]], value)
    flags = audit_of(tmp_path, weights).flags
    assert [(flag.step, flag.flag) for flag in flags] == named("non_finite", (0, 2, 3, 4, 5, 6, 8))


def test_copy_of_a_step_is_found_though_some_of_it_is_not_finite():
    """The negative control: what is finite of the two is the same, and changes elsewhere."""
    weights, shard = shards(8)
    weights[6] = weights[6] | {shard[0]: torch.full_like(weights[6][shard[0]], torch.nan)}
    found = flags_of([*weights[:2], weights[6], *weights[3:]])
    assert found == sorted([(20, "identical"), *named("non_finite", (2, 6))])
