"""What is asked of slurmctld, over the times when it is away."""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from specflow import paths
from specflow.executor.slots import Needs
from specflow.executor.slurm import commands
from specflow.executor.slurm.commands import ControllerAwayError, Status, Task
from specflow.executor.slurm.members import Sent
from specflow.executor.slurm.settings import ClusterParams
from specflow.textfiles import write_text

_WORKER, _SOURCE = "specflow.executor.slurm.worker", str(Path(__file__).parents[3].resolve())
_PATIENCE = 15  # seconds that it has to take note of a cancellation
_OFTEN = 0.5  # seconds between two tries to cancel


class Controller:
    """slurmctld, for the members of one stage.

    Attributes:
        resources: What each member gets.
    """

    def __init__(self, cluster: ClusterParams, needs: Needs, say: Callable[[str], None]) -> None:
        """Ask nothing yet; `say` is called with a line when it is away."""
        self._cluster, self.resources, self._say = cluster, cluster.resources(needs), say
        self._statuses: dict[Task, Status] = {}
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

    def status(self, sent: Sent) -> Status | None:
        """Return what it said of a member when it was last asked; None if it knew none."""
        return self._statuses.get(sent.task)

    def ask(self, sent: Iterable[Sent]) -> bool:
        """Ask about members; return whether it has answered."""
        with self.answered():
            self._statuses = commands.statuses({one.task[0] for one in sent})
            return True
        return False

    def ask_sometimes(self, sent: Iterable[Sent]) -> bool:
        """Ask about members, now and then; return whether there is a new answer."""
        if time.monotonic() - self._asked < self._cluster.poll_seconds:
            return False
        self._asked = time.monotonic()
        return self.ask(sent)

    def submit(self, array: str, members: list[str]) -> str:
        """Submit an array, however long it takes to be answered; return its job id.

        Args:
            array: Its name.
            members: The folder of each member.

        Raises:
            ClusterError: If SLURM refuses it.
        """
        folder = paths.cluster_root() / array
        write_text(folder / "members", json.dumps(members))
        command = ["env", *self._environment(), sys.executable, "-m", _WORKER, str(folder)]
        unsure = False
        while True:
            with self.answered():
                if unsure and (there := commands.statuses({array})):
                    return next(iter(there.values())).job.partition("_")[0]
                unsure = True
                return commands.submit(
                    array, len(members), command, folder, self._cluster, self.resources
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

    def cancel(self, arrays: Iterable[str]) -> Iterator[str]:
        """Cancel arrays; further signals do not cut it short.

        Yields:
            The name of each, when it is cancelled.
        """
        left, deadline = sorted(arrays), time.monotonic() + _PATIENCE
        with _signals_held():
            while left and time.monotonic() < deadline:
                for array in list(left):
                    with self.answered():
                        commands.cancel(array)
                        left.remove(array)
                        yield array
                if left:
                    time.sleep(_OFTEN)
        if left:
            self._say(f"not cancelled: scancel --name={','.join(left)}")

    def end(self, others: Iterable[Sent]) -> None:
        """Cancel members of which something was said last, and wait until they are over."""
        others = list(others)
        while live := [one.job for sent in others if (one := self.status(sent)) and one.is_live]:
            with self.answered():
                for job in live:
                    commands.cancel_task(job)
            time.sleep(_OFTEN)
            self.ask(others)


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
