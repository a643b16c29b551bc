"""Members as arrays: submitted, watched, submitted again where a node failed, cancelled by Ctrl-C.

A process that is killed leaves its arrays running; the next one that asks for the same results
attaches to them.
"""

import json
import sys
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from specflow import paths
from specflow.errors import SpecflowError, number_of
from specflow.executor.jobs import Member
from specflow.executor.processes import Report
from specflow.executor.slots import Needs
from specflow.executor.slurm import commands
from specflow.executor.slurm.commands import ControllerAwayError, Status, Task
from specflow.executor.slurm.members import End, Folder, Sent, cpu_kind
from specflow.executor.slurm.settings import ClusterParams
from specflow.textfiles import write_text

_TRIES = 3  # without getting on
_LIVE = {"PENDING", "RUNNING", "CONFIGURING", "COMPLETING", "SUSPENDED", "REQUEUED", "RESIZING"}
_REQUEUED, _HELD = "BeginTime", "launch failed requeued held"
_LATE = 10  # seconds after which a file of another node is seen here
_OFTEN, _LOOK = 0.5, 0.005  # seconds between two looks at members' folders, more if they are many
_SAY = 60  # seconds between two lines of progress where no bar is drawn
_PATIENCE = 60  # seconds that a controller has to take note of a cancellation
_END_OF_LOG = 500  # characters


def run_in_arrays(
    function: Callable[[Member, Report], None],
    jobs: Mapping[str, Member],
    bar: Any,
    title: str,
    cluster: ClusterParams,
    needs: Needs,
) -> dict[str, SpecflowError]:
    """Run members on the nodes of a cluster; return the errors of those that failed, by name.

    Args:
        function: As for `run_members`.
        jobs: As for `run_members`.
        bar: The progress bar.
        title: As for `run_members`.
        cluster: What of the cluster they may use.
        needs: As for `run_members`.

    Raises:
        SpecflowError: If SLURM refuses them.
        Exception: What a member raised, if that is no `SpecflowError`.
    """
    run = _Run(function, jobs, bar, title, cluster, needs)
    try:
        return run.to_the_end()
    except BaseException:
        run.cancel()
        raise


class _Run:
    def __init__(
        self,
        function: Callable[..., None],
        jobs: Mapping[str, Member],
        bar: Any,
        title: str,
        cluster: ClusterParams,
        needs: Needs,
    ) -> None:
        self._function, self._jobs, self._bar, self._title = function, jobs, bar, title
        self._cluster, self._resources, self._needs = cluster, cluster.resources(needs), needs
        self._folders = {name: Folder.of(function, job) for name, job in jobs.items()}
        self._waiting: dict[str, Sent] = {}  # to be submitted, with the tries before
        self._sent: dict[str, Sent] = {}
        self._missed: dict[str, float] = {}  # since when SLURM knows a member no more
        self._ends: dict[str, End] = {}
        self._failures: dict[str, SpecflowError] = {}
        self._statuses: dict[Task, Status] = {}
        self._asked = self._said = 0.0
        self._away = False

    def to_the_end(self) -> dict[str, SpecflowError]:
        """Submit what does not run yet, and wait for all of it."""
        self._attach()
        while self._waiting or self._sent:
            self._submit()
            time.sleep(max(_OFTEN, _LOOK * len(self._sent)))
            asked = self._ask()
            for name in list(self._sent):
                self._look_at(name, asked)
            self._show()
        self._say_cpus()
        return {name: self._failures[name] for name in self._jobs if name in self._failures}

    def cancel(self) -> None:
        """Cancel all arrays, and leave nothing to attach to."""
        left = {one.task[0] for f in self._folders.values() if (one := f.sent)}
        deadline = time.monotonic() + _PATIENCE
        for folder in self._folders.values():
            folder.send(None)
        while left and time.monotonic() < deadline:
            for array in sorted(left):
                with self._answered():
                    commands.cancel(array)
                    left.remove(array)
            if left:
                time.sleep(_OFTEN)
        if left:
            self._say(f"not cancelled: scancel --name={','.join(sorted(left))}")

    @contextmanager
    def _answered(self) -> Iterator[None]:
        """Go on if the controller is away, and say so once."""
        try:
            yield
        except ControllerAwayError as error:
            if not self._away:
                self._say(f"{error}; waiting for it")
            self._away = True
        else:
            self._away = False

    def _attach(self) -> None:
        """Find the members that an earlier process has sent and that are still under way."""
        before = {name: folder.sent for name, folder in self._folders.items()}
        found = {name: sent for name, sent in before.items() if sent is not None}
        while found and not self._ask_of(found.values()):
            time.sleep(self._cluster.poll_seconds)
        for name in self._jobs:
            sent = found.get(name)
            status = self._statuses.get(sent.task) if sent else None
            if sent and status and status.state in _LIVE and self._folders[name].end is None:
                self._sent[name] = sent
            else:
                self._waiting[name] = Sent(("", 0), 0, 0)
        if self._sent:
            jobs = ", ".join(self._statuses[sent.task].job for sent in self._sent.values())
            self._say(f"attached to {number_of(len(self._sent), 'member')} under way: {jobs}")

    def _submit(self) -> None:
        """Submit all that waits, an array for each `array_limit` of them.

        Raises:
            SpecflowError: If SLURM refuses the first of them.
        """
        while self._waiting:
            names = list(self._waiting)[: self._cluster.array_limit]
            array = f"specflow-{uuid.uuid4().hex[:12]}"
            sent = {}
            for place, name in enumerate(names):
                before, folder = self._waiting[name], self._folders[name]
                sent[name] = Sent((array, place), before.tries + 1, before.units)
                folder.put(self._function, self._jobs[name])
                folder.send(sent[name])
            try:
                job = self._sbatch(array, [str(self._folders[name].path) for name in names])
            except SpecflowError:
                if not self._sent:
                    raise
                return  # too many at once, perhaps: again when others are done
            self._sent |= sent
            for name in names:
                del self._waiting[name]
            logs = paths.cluster_root() / array
            self._say(f"submitted {number_of(len(names), 'member')} as job {job}, logs in {logs}")

    def _sbatch(self, array: str, members: list[str]) -> str:
        """Submit one array, however long the controller is away; return its job id."""
        folder = paths.cluster_root() / array
        write_text(folder / "members", json.dumps(members))
        command = [sys.executable, "-m", "specflow.executor.slurm.worker", str(folder)]
        unsure = False
        while True:
            with self._answered():
                if unsure and (there := commands.statuses({array})):
                    return next(iter(there.values())).job.partition("_")[0]
                unsure = True
                return commands.submit(
                    array, len(members), command, folder, self._cluster, self._resources
                )
            time.sleep(self._cluster.poll_seconds)

    def _ask(self) -> bool:
        """Ask what became of the tasks, now and then; return whether the answer is new."""
        if time.monotonic() - self._asked < self._cluster.poll_seconds:
            return False
        self._asked = time.monotonic()
        return self._ask_of(self._sent.values())

    def _ask_of(self, sent: Iterable[Sent]) -> bool:
        with self._answered():
            self._statuses = commands.statuses({one.task[0] for one in sent})
            return True
        return False

    def _look_at(self, name: str, asked: bool) -> None:
        end = self._folders[name].end
        if end is not None:
            if end.error is not None or self._jobs[name].target.exists():
                self._finish(name, end)
            elif self._is_late(name):  # it was removed since, as DVC does before a stage
                self._waiting[name] = replace(self._sent.pop(name), tries=0)
        elif asked:
            self._judge(name, self._statuses.get(self._sent[name].task))

    def _judge(self, name: str, status: Status | None) -> None:
        """Do what is needed with a member that has not told its end."""
        if status is None or status.state == "COMPLETED":
            if self._is_late(name):
                self._again(name, "it ended without a word")
        elif status.state in _LIVE:
            self._missed.pop(name, None)
            if status.reason == _REQUEUED:
                with self._answered():
                    commands.start_now(status.job)
            elif status.reason.replace("_", " ") == _HELD:
                with self._answered():
                    commands.cancel_task(status.job)
                self._again(name, "its node could not start it")
        elif status.state == "CANCELLED":
            self._fail(name, f"job {status.job} was cancelled by somebody else")
        elif status.state == "OUT_OF_MEMORY":
            given = self._resources.memory_gib or "the partition's"
            self._fail(name, f"out of memory; {self._needs}.memory_gib is {given}")
        else:
            self._again(name, f"SLURM says {status.state}")

    def _is_late(self, name: str) -> bool:
        """Return whether a file of another node would be seen by now."""
        return time.monotonic() - self._missed.setdefault(name, time.monotonic()) > _LATE

    def _finish(self, name: str, end: End) -> None:
        del self._sent[name]
        self._ends[name] = end
        if isinstance(end.error, SpecflowError):
            self._failures[name] = end.error
        elif end.error is not None:
            end.error.add_note(f"in {name}, on {end.node}")
            raise end.error

    def _again(self, name: str, why: str) -> None:
        """Have a member submitted again: it resumes; if it does not get on, let it fail."""
        sent, reached = self._sent[name], self._folders[name].units
        tries = 0 if reached > sent.units else sent.tries
        if tries >= _TRIES:
            self._fail(name, f"{why}, {tries} times without getting on")
            return
        del self._sent[name]
        self._missed.pop(name, None)
        self._waiting[name] = Sent(sent.task, tries, max(reached, sent.units))
        self._say(f"{name}: {why}; it is submitted again")

    def _fail(self, name: str, why: str) -> None:
        array, place = self._sent.pop(name).task
        log = paths.cluster_root() / array / f"{place}.log"
        said = log.read_text(errors="replace")[-_END_OF_LOG:].strip() if log.exists() else ""
        ends = f"; {log} ends with: {said}" if said else ""
        self._failures[name] = SpecflowError(f"{why}; the same command resumes{ends}")

    def _show(self) -> None:
        """Show units of work done, and what SLURM says of members; a line if there is no bar."""
        self._bar.n = sum(folder.units for folder in self._folders.values())
        there = (self._statuses.get(sent.task) for sent in self._sent.values())
        counts = Counter(_told(status) for status in there)
        told = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
        self._bar.set_postfix_str(told)
        if self._bar.disable and time.monotonic() - self._said > _SAY:
            self._say(f"{self._bar.n} of {self._bar.total} steps; {told}")

    def _say_cpus(self) -> None:
        nodes: defaultdict[str, set[str]] = defaultdict(set)
        for end in self._ends.values():
            nodes[end.cpu].add(end.node)
        if nodes.keys() - {cpu_kind()}:
            kinds = "; ".join(f"{cpu} on {', '.join(sorted(own))}" for cpu, own in nodes.items())
            self._say(f"CPUs: {kinds}; here {cpu_kind()}: last bits may differ between kinds")

    def _say(self, line: str) -> None:
        self._said = time.monotonic()
        self._bar.write(f"{self._title}: {line}", file=sys.stderr)


def _told(status: Status | None) -> str:
    if status is None:
        return "submitted"
    return f"pending ({status.reason})" if status.state == "PENDING" else status.state.lower()
