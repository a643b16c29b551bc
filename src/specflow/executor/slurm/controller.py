"""What is asked of slurmctld, over the times when it is away."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from specflow.executor.slots import Needs
from specflow.executor.slurm import commands
from specflow.executor.slurm.arrays import Array
from specflow.executor.slurm.commands import ControllerAwayError, Status
from specflow.executor.slurm.settings import ClusterParams

_WORKER, _SOURCE = "specflow.executor.slurm.worker", str(Path(__file__).parents[3].resolve())
_PATIENCE = 15  # seconds that it has to take note of a cancellation
_TO_END = 5  # seconds that a task has, to end after its members
_OFTEN = 0.5  # seconds between two tries to cancel
_OF_TIME = 0.95  # of a task's time, for its members: it begins before the first of them
_REQUEUED = "BeginTime"


class Controller:
    """slurmctld, for the members of one stage.

    Attributes:
        resources: What each task gets.
    """

    def __init__(self, cluster: ClusterParams, needs: Needs, say: Callable[[str], None]) -> None:
        """Ask nothing yet; `say` is called with a line when it is away."""
        self._cluster, self.resources, self._say = cluster, cluster.resources(needs), say
        self._statuses: dict[str, dict[int, Status]] = {}
        self._next: dict[str, Status | None] = {}
        self._given_up: set[str] = set()
        self._asked, self._away = 0.0, False

    @contextmanager
    def answered(self) -> Iterator[None]:
        """Go on if it is away, and say so once."""
        try:
            yield
        except ControllerAwayError as error:
            if not self._away:
                self._say(f"{error}; waiting for it")
            self._away = True
        else:
            self._away = False

    def tasks(self, array: str) -> dict[int, Status]:
        """Return what it said of an array's tasks when it was last asked."""
        return self._statuses.get(array, {})

    def next_task(self, array: str) -> Status | None:
        """Return what it said of a task that may take another member, one that runs if there is.

        If all are over, of one that did not end well; None if there is none such.
        """
        if array not in self._next:

            def rank(one: Status) -> tuple[bool, ...]:
                cancelled = one.state == "CANCELLED"
                return not one.is_live, one.state == "PENDING", cancelled, not self.gave_up(one)

            some = [one for one in self.tasks(array).values() if one.state != "COMPLETED"]
            self._next[array] = min(some, key=rank, default=None)
        return self._next[array]

    def is_live(self, array: str) -> bool:
        """Return whether one of its tasks was not over when it was last asked."""
        return any(status.is_live for status in self.tasks(array).values())

    def ask(self, arrays: Iterable[str]) -> bool:
        """Ask about arrays; return whether it has answered."""
        with self.answered():
            self._statuses, self._next = commands.statuses(set(arrays)), {}
            return True
        return False

    def ask_sometimes(self, arrays: Iterable[str]) -> bool:
        """Ask about arrays, now and then; return whether there is a new answer."""
        if time.monotonic() - self._asked < self._cluster.poll_seconds:
            return False
        self._asked = time.monotonic()
        return self.ask(arrays)

    def see_to(self, array: str, idle: Collection[int]) -> None:
        """Spare requeued tasks of an array their wait; end those that nobody can, or has to, start.

        `idle` are the numbers of those for which there is nothing left to do.
        """
        over = []
        for number, status in self.tasks(array).items():
            if status.reason == _REQUEUED:
                with suppress(ControllerAwayError):  # or it has started in the meantime
                    commands.start_now(status.job)
            elif status.is_held:
                self._given_up.add(status.job)
                over.append(status.job)
            elif number in idle and status.state == "PENDING":
                over.append(status.job)
        if over:
            with self.answered():
                commands.cancel_tasks(over)

    def gave_up(self, status: Status) -> bool:
        """Return whether it was cancelled here, since its node could not start it."""
        return status.job in self._given_up

    def submit(self, array: Array, num_tasks: int) -> str:
        """Submit an array, however long it takes to be answered; return its job id.

        Raises:
            ClusterError: If SLURM refuses it.
        """
        seconds = str(_OF_TIME * 60 * self.resources.minutes)
        worker = [sys.executable, "-m", _WORKER, str(array.path), seconds]
        command, unsure = ["env", *self._environment(), *worker], False
        while True:
            with self.answered():
                if unsure and (there := commands.statuses({array.name})):
                    return next(iter(there[array.name].values())).job.partition("_")[0]
                unsure = True
                return commands.submit(
                    array.path, num_tasks, command, self._cluster, self.resources
                )
            time.sleep(self._cluster.poll_seconds)

    def _environment(self) -> Iterator[str]:
        """Yield what members need of the environment otherwise than it is here."""
        given = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
        yield f"PYTHONPATH={os.pathsep.join([_SOURCE, *map(os.path.abspath, given)])}"
        if self.resources.gpus == 0:
            yield "SPECFLOW_DEVICE=cpu"
        elif "SPECFLOW_DEVICE" in os.environ:  # the one GPU that a member sees is its first
            yield f"SPECFLOW_DEVICE={os.environ['SPECFLOW_DEVICE'].partition(':')[0]}"

    def cancel(self, arrays: Iterable[str]) -> set[str]:
        """Cancel arrays, and return which are; further signals do not cut it short."""
        left, deadline = sorted(arrays), time.monotonic() + _PATIENCE
        done: set[str] = set()
        with _signals_held():
            while left and time.monotonic() < deadline:
                with self.answered():
                    commands.cancel(left[-1])
                    done.add(left.pop())
                    continue
                time.sleep(_OFTEN)
        for array in left:
            self._say(f"not cancelled: scancel --name={array}")
        return done

    def finish(self, arrays: Collection[str]) -> None:
        """Let tasks of arrays end that have run the last members; cancel those that have none."""
        deadline = time.monotonic() + _TO_END
        while self.ask(arrays):
            live = list(filter(self.is_live, arrays))
            if not live or time.monotonic() > deadline:
                self.cancel(live)
                return
            for array in live:
                self.see_to(array, self.tasks(array).keys())
            time.sleep(_OFTEN)

    def end(self, arrays: Collection[str]) -> None:
        """Cancel arrays, and wait until they are over."""
        while any(map(self.is_live, arrays)):
            with self.answered():
                for array in arrays:
                    commands.cancel(array)
            time.sleep(_OFTEN)
            self.ask(arrays)


@contextmanager
def _signals_held() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # there they do not arrive
        yield
        return
    numbers = signal.SIGINT, signal.SIGTERM
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
