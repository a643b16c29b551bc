"""The simulated graph, beside bounds, and beside a naive twin that goes from event to event."""

import math
from itertools import pairwise

import numpy as np
import pytest
from tests.clones import ROOT

from specflow.config.params import load_params
from specflow.plan.simulation import Load, critical_path, wall_time
from specflow.plan.speeds import Speeds
from specflow.plan.stages import upstream_of
from specflow.schedule import History

DIAMOND = {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")}


def naive(upstream, loads, slots, jobs):
    """Seconds of a graph in which no two stages have paths of the same length."""

    def length(name):
        after = [length(other) for other in upstream if name in upstream[other]]
        return loads[name].alone + max(after, default=0)

    order = sorted(upstream, key=length, reverse=True)
    time, ends, done, begun = 0.0, {}, set(), {}
    waiting = {name: sorted(loads[name].members) for name in order}
    while len(done) < len(order):
        for name in order:
            if name not in begun and done >= set(upstream[name]) and len(begun) - len(done) < jobs:
                begun[name] = time + loads[name].start
        for name in order:
            while begun.get(name, math.inf) <= time and waiting[name] and len(ends) < slots:
                ends[name, len(waiting[name])] = time + waiting[name].pop()
        finished = {
            name
            for name in begun.keys() - done
            if begun[name] <= time and not waiting[name] and all(key[0] != name for key in ends)
        }
        if finished:
            done |= finished
            continue
        time = min([*ends.values(), *(at for at in begun.values() if at > time)])
        ends = {key: end for key, end in ends.items() if end > time}
    return time


def drawn(generator, names, counts=None):
    """Loads of random sizes: seconds between 1 and 1000, as stages differ."""
    loads = {}
    for name in names:
        count = counts[name] if counts else generator.integers(0, 5)
        seconds = 10.0 ** generator.uniform(0, 3, count)
        loads[name] = Load(generator.uniform(0, 5), tuple(seconds))
    return loads


@pytest.fixture(scope="module")
def default_graph():
    params = load_params(ROOT / "params.yaml")
    speeds, upstream = Speeds(params, History(), "cpu"), upstream_of(params, ROOT / "dvc.yaml")
    return upstream, {name: len(speeds.of(name).amounts) for name in upstream}


@pytest.mark.parametrize(
    ("slots", "jobs", "expected"),
    [
        (1, None, 1 + 3 + 3 + 2 + 4 + 1),
        (2, None, 1 + 3 + (3 + 2) + 1),  # c, and beside it the members of b one by one
        (3, None, 1 + 3 + 4 + 1),
        (3, 1, 1 + 3 + 3 + 4 + 1),
    ],
)
def test_small_graph_takes_what_it_takes_by_hand(slots, jobs, expected):
    loads = {"a": Load(1, (3,)), "b": Load(0, (3, 2)), "c": Load(0, (4,)), "d": Load(0, (1,))}
    assert wall_time(list(DIAMOND), DIAMOND, loads, slots, jobs) == expected
    assert critical_path(list(DIAMOND), DIAMOND, loads) == (9, ["a", "c", "d"])


@pytest.mark.parametrize("slots", [1, 2, 5])
@pytest.mark.parametrize("jobs", [1, 2, 10])
def test_simulation_matches_naive(slots, jobs):
    generator = np.random.default_rng()
    for _ in range(20):
        names = [f"s{place}" for place in range(10)]
        upstream = {
            name: {other for other in names[:place] if generator.random() < 0.3}
            for place, name in enumerate(names)
        }
        loads = drawn(generator, names)
        expected = naive(upstream, loads, slots, jobs)
        assert wall_time(names, upstream, loads, slots, jobs) == pytest.approx(expected), loads


def test_default_graph_is_between_its_bounds(default_graph):
    """Those of list scheduling: at any time all slots are busy, or the longest path goes on."""
    upstream, counts = default_graph
    names, generator = list(upstream), np.random.default_rng()
    for slots in (1, 7, 64):
        for _ in range(5):
            loads = drawn(generator, names, counts)
            seconds = wall_time(names, upstream, loads, slots)
            longest, _ = critical_path(names, upstream, loads)
            work = sum(sum(load.members) for load in loads.values())
            least, slack = max(longest, work / slots), 1 + 1e-9
            assert least <= seconds * slack, loads
            assert seconds <= (longest + work / slots) * slack, loads


def test_with_a_slot_for_every_member_it_takes_its_critical_path(default_graph):
    upstream, counts = default_graph
    names, loads = list(upstream), drawn(np.random.default_rng(), upstream, counts)
    longest, path = critical_path(names, upstream, loads)
    assert wall_time(names, upstream, loads, sum(counts.values())) == pytest.approx(longest)
    assert sum(loads[name].alone for name in path) == pytest.approx(longest)
    assert all(one in upstream[other] for one, other in pairwise(path))
