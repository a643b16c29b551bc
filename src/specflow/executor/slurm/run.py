"""Members as arrays: submitted, watched, submitted again where a node failed, cancelled by Ctrl-C.

A process that is killed leaves its arrays running; the next one that asks for the same results
attaches to them.
"""

import re
import sys
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from specflow.errors import SpecflowError, number_of
from specflow.executor.jobs import Member
from specflow.executor.processes import Report
from specflow.executor.slots import Needs
from specflow.executor.slurm.arrays import Array
from specflow.executor.slurm.commands import Status
from specflow.executor.slurm.controller import Controller
from specflow.executor.slurm.members import End, Folder, Sent, cpu_kind, work_of
from specflow.executor.slurm.settings import ClusterParams

_TRIES = 3  # without getting on
_LATE = 60  # seconds after which a file of another node is seen here, with the usual caches of NFS
_OFTEN, _LOOK = 0.5, 0.005  # seconds between two looks at members' folders, more if they are many
_SAY = 60  # seconds between two lines of progress where no bar is drawn
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
        self._array_limit, self._needs = cluster.array_limit, needs
        self._controller = Controller(cluster, needs, self._say)
        self._folders: dict[str, Folder] = {}
        self._waiting: dict[str, Sent] = {}  # to be submitted, with the tries before
        self._sent: dict[str, Sent] = {}
        self._arrays: set[str] = set()  # submitted or attached to
        self._takers: dict[str, dict[int, int | None]] = {}  # tasks, by array and place
        self._missed: dict[str, float] = {}  # since when SLURM knows a member no more
        self._ends: dict[str, End] = {}
        self._units: dict[str, int] = {}
        self._failures: dict[str, SpecflowError] = {}
        self._said = 0.0

    def to_the_end(self) -> dict[str, SpecflowError]:
        """Submit what does not run yet, and wait for all of it."""
        self._attach()
        while self._waiting or self._sent:
            self._submit()
            time.sleep(max(_OFTEN, _LOOK * len(self._sent)))
            arrays = {sent.array for sent in self._sent.values()}
            self._find_takers(arrays)
            asked = self._controller.ask_sometimes(arrays)
            for name in list(self._sent):
                self._look_at(name, asked)
            for array in arrays if asked else ():
                self._controller.see_to(array, self._idle(array))
            self._show()
        self._controller.finish(self._arrays)
        self._say_cpus()
        return {name: self._failures[name] for name in self._jobs if name in self._failures}

    def cancel(self) -> None:
        """Cancel all arrays; what is cancelled is nothing to attach to."""
        left = {name: one for name, folder in self._folders.items() if (one := folder.sent)}
        cancelled = self._controller.cancel(self._arrays | {one.array for one in left.values()})
        for name, sent in left.items():
            if sent.array in cancelled:
                with suppress(SpecflowError):  # a full disk, perhaps
                    self._folders[name].send(None)

    def _attach(self) -> None:
        """Find the members that an earlier process has sent and that are still under way."""
        works = {}
        for name, job in self._jobs.items():
            try:
                works[name], self._folders[name] = work_of(job), Folder.of(self._function, job)
            except SpecflowError as error:
                self._failures[name] = error
        before = {name: sent for name, folder in self._folders.items() if (sent := folder.sent)}
        arrays = {sent.array for sent in before.values()}
        while before and not self._controller.ask(arrays):
            time.sleep(_OFTEN)
        self._arrays = set(filter(self._controller.is_live, arrays))
        self._find_takers(arrays)
        live = {
            name: sent
            for name, sent in before.items()
            if (status := self._status(sent)) and status.is_live
            if self._folders[name].end_in(sent.array) is None
        }
        others = {sent.array for name, sent in live.items() if sent.work != works[name]}
        self._controller.end(others)
        self._sent = {name: sent for name, sent in live.items() if sent.array not in others}
        anew = [name for name in self._folders if name not in self._sent]
        self._waiting = {name: Sent(works[name], "", 0, 0, 0) for name in anew}
        if self._sent:
            of = f"under way, of {', '.join(sorted({one.array for one in self._sent.values()}))}"
            self._say(f"attached to {number_of(len(self._sent), 'member')} {of}")

    def _submit(self) -> None:
        """Submit all that waits, an array for each `array_limit` of them.

        Raises:
            ClusterError: If SLURM refuses the first of them.
        """
        while self._waiting:
            names = list(self._waiting)[: self._array_limit]
            stage = re.sub(r"[^a-z0-9]+", "-", self._title.lower())
            array = Array.named(f"specflow-{stage}-{uuid.uuid4().hex[:12]}")
            array.put(self._folders[name] for name in names)
            sent = {}
            for place, name in enumerate(names):
                before, folder = self._waiting[name], self._folders[name]
                sent[name] = replace(before, array=array.name, place=place, tries=before.tries + 1)
                folder.put(self._function, self._jobs[name])
                folder.send(sent[name])
            job = self._controller.submit(array, len(names))
            self._arrays.add(array.name)
            self._sent |= sent
            for name in names:
                del self._waiting[name]
                self._missed.pop(name, None)
            of = number_of(len(names), "member")
            self._say(f"submitted {of} as job {job}, logs in {array.path}")

    def _look_at(self, name: str, asked: bool) -> None:
        end = self._folders[name].end_in(self._sent[name].array)
        if end is not None:
            if end.error is not None or self._jobs[name].target.exists():
                self._finish(name, end)
            elif self._is_late(name):  # DVC may have removed it after its end, before a stage
                self._again(name, f"its result {self._jobs[name].target} is not there")
        elif asked:
            self._judge(name, self._status(self._sent[name]))

    def _find_takers(self, arrays: Iterable[str]) -> None:
        for array in arrays:
            with suppress(OSError):  # removed, or not to be read at the moment
                self._takers[array] = Array.named(array).takers()

    def _taker(self, sent: Sent) -> int | None:
        return self._takers.get(sent.array, {}).get(sent.place)

    def _idle(self, array: str) -> set[int]:
        """Return the tasks of an array that no member is left for: once all are taken, some."""
        takers = set(self._takers.get(array, {}).values())
        all_taken = takers and None not in takers
        return self._controller.tasks(array).keys() - takers if all_taken else set()

    def _status(self, sent: Sent) -> Status | None:
        """Return what SLURM says of the task that has taken a member, or else of one that may."""
        taker = self._taker(sent)
        if taker is None:
            return self._controller.next_task(sent.array)
        return self._controller.tasks(sent.array).get(taker)

    def _judge(self, name: str, status: Status | None) -> None:
        """Do what is needed with a member that has not told its end."""
        taken = self._taker(self._sent[name]) is not None
        if status is None or status.state == "COMPLETED":
            if self._is_late(name):
                self._again(name, "nothing was heard of it")
        elif status.is_live:
            self._missed.pop(name, None)
        elif self._controller.gave_up(status):
            self._again(name, "its node could not start it")
        elif status.state == "CANCELLED":
            if taken or self._is_late(name):  # one that has taken it may not be seen yet
                self._fail(name, f"job {status.job} was cancelled by somebody else")
        elif status.state == "OUT_OF_MEMORY" and taken:
            given = self._controller.resources.memory_gib or "the partition's"
            self._fail(name, f"out of memory; {self._needs}.memory_gib is {given}")
        else:
            self._again(name, f"SLURM says {status.state}")

    def _is_late(self, name: str) -> bool:
        """Return whether a file of another node would be seen by now."""
        return time.monotonic() - self._missed.setdefault(name, time.monotonic()) > _LATE

    def _finish(self, name: str, end: End) -> None:
        self._folders[name].send(None)
        del self._sent[name]
        self._ends[name] = end
        self._units[name] = self._folders[name].units
        if isinstance(end.error, SpecflowError):
            self._failures[name] = end.error
        elif end.error is not None:
            end.error.add_note(f"in {name}, on {end.node}")
            raise end.error

    def _again(self, name: str, why: str) -> None:
        """Have a member submitted again: it resumes; if it does not get on, let it fail."""
        sent, reached = self._sent[name], self._folders[name].units
        tries = 0 if reached > sent.units else sent.tries - (not self._was_first(sent))
        if tries >= _TRIES:
            self._fail(name, f"{why}, {tries} times without getting on")
            return
        del self._sent[name]
        self._missed.pop(name, None)
        self._waiting[name] = replace(sent, tries=tries, units=max(reached, sent.units))
        self._say(f"{name}: {why}; it is submitted again")

    def _was_first(self, sent: Sent) -> bool:
        """Return whether its task has taken none before; if none has taken it, or any other."""
        takers, taker = self._takers.get(sent.array, {}), self._taker(sent)
        if taker is None:
            return not any(other is not None for other in takers.values())
        return sent.place == min(place for place, other in takers.items() if other == taker)

    def _fail(self, name: str, why: str) -> None:
        sent = self._sent.pop(name)
        self._folders[name].send(None)
        status, ends = self._status(sent), ""
        if status is not None:
            log = Array.named(sent.array).log(status.task)
            said = log.read_text(errors="replace")[-_END_OF_LOG:].strip() if log.exists() else ""
            ends = f"; {log} ends with: {said}" if said else ""
        self._failures[name] = SpecflowError(f"{why}; the same command resumes{ends}")

    def _show(self) -> None:
        """Show units of work done, and how many members run; a line if there is no bar."""
        for name, folder in self._folders.items():
            if name not in self._ends:
                self._units[name] = folder.units
        self._bar.n = sum(self._units.values())
        counts = Counter(map(self._told, self._sent.values()))
        told = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
        self._bar.set_postfix_str(told)
        if self._bar.disable and time.monotonic() - self._said > _SAY:
            self._say(f"{self._bar.n} of {self._bar.total} steps; {told}")

    def _told(self, sent: Sent) -> str:
        status = self._status(sent)
        if status is None:
            return "submitted"
        if status.state == "PENDING":
            return f"pending ({status.reason})"
        return "waiting" if self._taker(sent) is None else status.state.lower()

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
