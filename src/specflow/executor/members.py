"""Runs independent members (seeds, branches) side by side: here, or on the nodes of a cluster.

A member is a picklable job. Results do not depend on where members run, nor on how many at a time:
each computes with one thread, or with threads whose number changes no bit.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from specflow.errors import SpecflowError
from specflow.executor.jobs import Member
from specflow.executor.processes import Job, Report, run_in_processes
from specflow.executor.slots import Needs, Slot, slots_for


def run_members(
    function: Callable[[Member, Report], None],
    jobs: Mapping[str, Member],
    *,
    title: str,
    total: int,
    needs: Needs = "core",
) -> None:
    """Run `function(job, report)` for every job, side by side, wherever there is room.

    With `SPECFLOW_CLUSTER`, that is on the nodes of a cluster. A member that fails does not stop
    the others: what they finish is kept.

    Args:
        function: A function at module level; calls `report(n)` after every n units of work.
        jobs: The jobs by member name.
        title: What the progress bar says.
        total: Units of work of all jobs together.
        needs: What each keeps busy.

    Raises:
        SpecflowError: If members failed by errors that a user can mend; it names them all.
    """
    from specflow.executor.slurm.settings import cluster_here  # here, as all that takes long

    cluster = cluster_here()
    if cluster is None:
        run_in_slots(slots_for(needs), function, jobs, title=title, total=total)
        return
    from specflow.executor.slurm.run import run_in_arrays

    with _progress(title, total) as bar:
        failures = run_in_arrays(function, jobs, bar, title, cluster, needs)
    _tell(failures)


def run_in_slots(
    slots: Sequence[Slot],
    function: Callable[[Job, Report], None],
    jobs: Mapping[str, Job],
    *,
    title: str,
    total: int,
) -> None:
    """Run jobs as `run_members` does, in slots of this machine; in this process if it is but one.

    Raises:
        SpecflowError: If jobs failed by errors that a user can mend; it names them all.
    """
    with _progress(title, total) as bar:
        if min(len(slots), len(jobs)) <= 1:
            failures = _run_here(function, jobs, bar)
        else:
            failures = run_in_processes(function, jobs, bar, slots)
    _tell(failures)


def _progress(title: str, total: int) -> Any:
    from tqdm import tqdm  # here, so that stages begin even where packages are missing

    return tqdm(total=total, desc=title, unit="step", disable=None)


def _tell(failures: Mapping[str, SpecflowError]) -> None:
    if failures:
        raise SpecflowError("; ".join(f"{name}: {error}" for name, error in failures.items()))


def _run_here(
    function: Callable[[Job, Report], None], jobs: Mapping[str, Job], bar: Any
) -> dict[str, SpecflowError]:
    failures = {}
    for name, job in jobs.items():
        try:
            function(job, bar.update)
        except SpecflowError as error:
            failures[name] = error
    return failures
