"""How long a graph of stages takes on slots that the members of all of them share."""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from specflow.schedule import path_lengths

Upstream = Mapping[str, Iterable[str]]


@dataclass(frozen=True)
class Load:
    """What a stage takes.

    Attributes:
        start: Seconds before its members wait for slots; it occupies none itself.
        members: Seconds of each member on one slot.
    """

    start: float
    members: tuple[float, ...]

    @property
    def alone(self) -> float:
        """Seconds of the stage with a slot for every member."""
        return self.start + max(self.members, default=0.0)


def critical_path(
    names: Sequence[str], upstream: Upstream, loads: Mapping[str, Load]
) -> tuple[float, list[str]]:
    """Return the seconds of a graph with a slot for every member, and the stages that decide them.

    Args:
        names: Stages, each after its upstream.
        upstream: For every stage those that it waits for.
        loads: What every stage takes.
    """
    lengths = _lengths(names, upstream, loads)
    path: list[str] = []
    following = list(names)
    while following:
        path.append(max(following, key=lengths.__getitem__))
        following = [name for name in names if path[-1] in upstream[name]]
    return (lengths[path[0]] if path else 0.0), path


def wall_time(
    names: Sequence[str],
    upstream: Upstream,
    loads: Mapping[str, Load],
    slots: int,
    jobs: int | None = None,
) -> float:
    """Return the seconds of a graph on slots: what is on the longest path goes first.

    A stage is ready when its upstream is done. A slot that is free never waits while a member
    does, so that the result is at most the critical path and the work over the slots together,
    if no stage has to wait for others to end (Graham 1969).

    Args:
        names: Stages, each after its upstream.
        upstream: For every stage those that it waits for.
        loads: What every stage takes.
        slots: Members side by side at most.
        jobs: Stages side by side at most; None means all that are ready.
    """
    return _Simulation(names, upstream, loads, slots, jobs or len(names)).run()


def _lengths(
    names: Sequence[str], upstream: Upstream, loads: Mapping[str, Load]
) -> dict[str, float]:
    return path_lengths(names, upstream, {name: loads[name].alone for name in names})


class _Simulation:
    """Slots and stages at one time. Stages are numbers: the longest path has the least."""

    def __init__(
        self,
        names: Sequence[str],
        upstream: Upstream,
        loads: Mapping[str, Load],
        slots: int,
        jobs: int,
    ) -> None:
        lengths = _lengths(names, upstream, loads)
        order = sorted(names, key=lambda name: -lengths[name])
        number = {name: place for place, name in enumerate(order)}
        self._loads = [loads[name] for name in order]
        self._missing = [{number[needed] for needed in upstream[name]} for name in order]
        self._left = [len(load.members) for load in self._loads]  # members that have not ended
        self._ready = [place for place, missing in enumerate(self._missing) if not missing]
        self._waiting: list[tuple[int, float]] = []  # members: their stage, and less their seconds
        self._events: list[tuple[float, int, bool]] = []  # of a stage: whether it is its start
        self._slots, self._jobs, self._time = slots, jobs, 0.0

    def run(self) -> float:
        self._assign()
        while self._events:
            self._time = self._events[0][0]
            while self._events and self._events[0][0] == self._time:
                _, stage, is_start = heapq.heappop(self._events)
                self._enter(stage) if is_start else self._end_member(stage)
            self._assign()
        return self._time

    def _assign(self) -> None:
        """Start stages that are ready, and members that wait for a slot, longest path first."""
        while self._ready and self._jobs:
            self._jobs -= 1
            stage = heapq.heappop(self._ready)
            heapq.heappush(self._events, (self._time + self._loads[stage].start, stage, True))
        while self._waiting and self._slots:
            self._slots -= 1
            stage, less_seconds = heapq.heappop(self._waiting)
            heapq.heappush(self._events, (self._time - less_seconds, stage, False))

    def _enter(self, stage: int) -> None:
        for seconds in self._loads[stage].members:
            heapq.heappush(self._waiting, (stage, -seconds))
        if not self._left[stage]:
            self._end(stage)

    def _end_member(self, stage: int) -> None:
        self._slots += 1
        self._left[stage] -= 1
        if not self._left[stage]:
            self._end(stage)

    def _end(self, stage: int) -> None:
        self._jobs += 1
        for other, missing in enumerate(self._missing):
            if stage in missing:
                missing.remove(stage)
                if not missing:
                    heapq.heappush(self._ready, other)
