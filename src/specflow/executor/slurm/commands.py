"""The commands of SLURM; each by a list of words, so that no name reaches a shell unquoted."""

import math
import os
import re
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from specflow import paths
from specflow.errors import SpecflowError
from specflow.executor.slurm.settings import ClusterParams, Resources

_TIMEOUT = 60  # seconds; a controller that is busy for longer counts as away
# What sbatch says of a controller that is away, or busy, or takes no more for now.
_AWAY = re.compile(
    "unable to contact|timed out|transmitted or received|temporarily unavailable|standby|"
    "communication|munge|submit limit|connection refused|max.*submit",
    re.IGNORECASE,
)
_KEPT = ("SBATCH_ACCOUNT", "SBATCH_PARTITION", "SBATCH_QOS")
_FORMAT = "%j|%K|%i|%T|%r"

_OVER = {
    *("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY"),
    *("PREEMPTED", "REVOKED", "TIMEOUT"),
}
_HELD = "launch failed requeued held"


class ClusterError(SpecflowError):
    """SLURM refuses what it is asked."""


class ControllerAwayError(ClusterError):
    """slurmctld does not answer; it may do so later."""


@dataclass(frozen=True)
class Status:
    """What SLURM says of a task.

    Attributes:
        job: Its id, such as 12_3, of the array 12 and its task number 3.
        state: In capital letters, such as PENDING.
        reason: Why it is in that state.
    """

    job: str
    state: str
    reason: str

    @property
    def is_live(self) -> bool:
        """Whether it is not over."""
        return self.state not in _OVER

    @property
    def task(self) -> int:
        """Its number in the array."""
        return int(self.job.partition("_")[2])

    @property
    def is_held(self) -> bool:
        """Whether its node could not start it, so that it waits for somebody."""
        return self.is_live and self.reason.replace("_", " ") == _HELD


def submit(
    folder: Path,
    num_tasks: int,
    command: Sequence[str],
    cluster: ClusterParams,
    resources: Resources,
) -> str:
    """Submit an array and return its job id.

    Args:
        folder: A folder on all nodes, where logs are written: `<task>.log`. Its name, made of
            letters, digits and "-" alone, is that of the array.
        num_tasks: How many tasks it has.
        command: What each runs.
        cluster: Partition, account and further options.
        resources: What each task gets.

    Raises:
        ControllerAwayError: If the controller does not answer; it may still have taken the array.
        ClusterError: If sbatch refuses, or no log could be written.
    """
    if "\\" in str(folder):
        raise ClusterError(
            f"{folder}: has a backslash; expected none, for SLURM to write logs there"
        )
    logs = str(folder).replace("%", "%%")  # SLURM would put a number in place of %a
    at_once = f"%{cluster.members_at_once}" if cluster.members_at_once else ""
    tasks = f"--array=0-{num_tasks - 1}{at_once}"
    words = [
        *("sbatch", "--parsable", f"--job-name={folder.name}", f"--chdir={folder}", tasks),
        *("--requeue", "--open-mode=append", "--export=ALL"),
        *(f"--output={logs}/%a.log", "--ntasks=1", f"--cpus-per-task={resources.cpus}"),
        f"--time={resources.minutes}",
        *([f"--mem={math.ceil(resources.memory_gib * 1024)}M"] if resources.memory_gib else []),
        *([f"--gres=gpu:{resources.gpus}"] if resources.gpus else []),
        *([f"--partition={cluster.partition}"] if cluster.partition else []),
        *([f"--account={cluster.account}"] if cluster.account else []),
        *cluster.options,
    ]
    script = f"#!/bin/sh\nexec {shlex.join(command)}\n"
    return _run(words, script).strip().partition(";")[0]


def statuses(arrays: set[str]) -> dict[str, dict[int, Status]]:
    """Return what SLURM knows of the tasks of arrays, of those too that ended a while ago.

    Raises:
        ControllerAwayError: If the controller does not answer.
    """
    if not arrays:
        return {}
    names = f"--name={','.join(sorted(arrays))}"
    words = ["squeue", "--noheader", "--array", "--states=all", names, f"--format={_FORMAT}"]
    found: dict[str, dict[int, Status]] = {}
    for line in _run(words).splitlines():
        name, place, job, state, reason = line.strip().split("|", 4)
        if place.isdecimal():
            status, tasks = Status(job, state, reason), found.setdefault(name, {})
            if status.is_live or int(place) not in tasks:
                tasks[int(place)] = status
    return found


def cancel(array: str) -> None:
    """End all tasks of an array.

    Raises:
        ControllerAwayError: If the controller does not answer.
    """
    _run(["scancel", f"--name={array}"])


def cancel_tasks(jobs: Sequence[str]) -> None:
    """End tasks, by their ids.

    Raises:
        ControllerAwayError: If the controller does not answer.
    """
    _run(["scancel", *jobs])


def start_now(job: str) -> None:
    """Spare a task that was requeued the two minutes that SLURM lets it wait.

    Raises:
        ControllerAwayError: If the controller does not answer.
    """
    _run(["scontrol", "update", f"JobId={job}", "StartTime=now"])


def _run(words: Sequence[str], text: str = "") -> str:
    try:
        done = subprocess.run(
            words,
            input=text,
            env=_environment(),
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
            start_new_session=True,  # Ctrl-C must not leave unsaid whether an array was taken
        )
    except FileNotFoundError as error:
        hint = "expected a machine that submits to SLURM, or no SPECFLOW_CLUSTER"
        raise SpecflowError(f"there is no command {words[0]}; {hint}") from error
    except subprocess.TimeoutExpired as error:
        raise ControllerAwayError(f"{words[0]}: no answer in {_TIMEOUT} s") from error
    if done.returncode == 0:
        return done.stdout
    said = " ".join(done.stderr.split()) or f"exit status {done.returncode}"
    if words[0] == "sbatch" and not _AWAY.search(said):  # others are asked again
        raise ClusterError(f"{paths.cluster_file()}: {words[0]}: {said}")
    raise ControllerAwayError(f"{words[0]}: {said}")


def _environment() -> dict[str, str]:
    """Return the environment without what makes the commands wait, or see only some of the jobs."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in _KEPT or not name.startswith(("SBATCH_", "SQUEUE_", "SCANCEL_"))
    }
