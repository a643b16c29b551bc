"""When a watch measures what, and what of the time it may take for that."""

import math
import os
import time
from collections.abc import Callable

from specflow.errors import number_of
from specflow.live.kinds import Kind
from specflow.live.settings import Steps, WatchParams

_SHORT = 60.0  # seconds: a training that is shorter is taken to last so long
_A_CORE = 2  # times the budget: for so much of the time, by core, may the process be busy
_OF_LEADING = 0.5  # share of the budget that is theirs at most: whole spectra are not to wait


class Schedule:
    """The steps that are due: of whole spectra, and of the leading values alone."""

    def __init__(self, params: WatchParams) -> None:
        """Have all due at the first step that is told."""
        self._steps: dict[Kind, Steps] = {Kind.WEIGHTS: params.every}
        if params.leading is not None:
            self._steps[Kind.LEADING] = params.leading
        self._due = dict.fromkeys(self._steps, -math.inf)

    @property
    def next(self) -> float:
        """The next step at which something is due; infinity if there is none."""
        return min(self._due.values())

    @property
    def next_whole(self) -> float:
        """The next step at which whole spectra are."""
        return self._due[Kind.WEIGHTS]

    def take(self, step: int) -> list[Kind]:
        """Return what is due at a step, and have the next one be the next."""
        kinds = [kind for kind, due in self._due.items() if step >= due]
        for kind in kinds:
            self._due[kind] = _due_after(step, self._steps[kind])
        return kinds

    def end(self) -> None:
        """Have nothing due any more."""
        self._due = dict.fromkeys(self._steps, math.inf)


class Budget:
    """The share of the time of training that copies take, and that measuring keeps cores busy.

    Attributes:
        busy: Seconds that the process beside has computed.
    """

    def __init__(self, share: float) -> None:
        """Begin to count; `share` of the time may go into copies."""
        self._share, self.busy = share, 0.0
        self._began, self._spent, self._took, self._is_first = time.perf_counter(), 0.0, 0.0, True

    @property
    def spent(self) -> float:
        """Share of the time since it began that was waited for copies."""
        return self._spent / (time.perf_counter() - self._began)

    def refusal(self, kinds: list[Kind]) -> str | None:
        """Return why there is no time for another step; None for the first one, or if there is."""
        if self._is_first:
            return None
        share = self._share * (1 if Kind.WEIGHTS in kinds else _OF_LEADING)
        seconds = max(time.perf_counter() - self._began, _SHORT)
        for what, took, most in (
            ("measuring", self.busy, share * _A_CORE * (os.cpu_count() or 1)),
            ("copying", self._spent + self._took, share),
        ):
            if took > most * seconds:
                told = f"{what} would take {100 * took / seconds:.3g}% of the time"
                return f"{told}; a budget of {self._share:g} allows {100 * most:.3g}%"
        return None

    def took(self, seconds: float) -> None:
        """Say what the copies of a step took, which the next will take too."""
        self._is_first, self._took = False, seconds

    def took_on_gpu(self, seconds: float) -> None:
        """Say what of that a GPU took, which is known later."""
        self._took += seconds
        self._spent += seconds

    def waited(self, seconds: float) -> None:
        """Say how long the training has waited."""
        self._spent += seconds


class Dropped:
    """Steps that were due and are not measured: said when the first is, and in the end."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        """Have none, and someone to tell."""
        self._warn, self._count = warn, 0

    def add(self, reason: str) -> None:
        """Count a step; say at the first why."""
        self._count += 1
        if self._count == 1:
            self._warn(
                f"not all steps that are due are measured: {reason}; how many are not is said in "
                "the end"
            )

    def end(self) -> None:
        """Say how many there were, if there were any."""
        count, self._count = self._count, 0
        if count:
            self._warn(f"not measured: {number_of(count, 'step')} of those that were due")


def _due_after(step: int, steps: Steps) -> float:
    """Return the next step that is due after this one; infinity if there is none."""
    if isinstance(steps, int):
        return (step // steps + 1) * steps
    return next((float(one) for one in steps if one > step), math.inf)
