"""Runs independent members (seeds, branches) side by side: the one seam for another scheduler.

A member is a picklable job. Results do not depend on how many workers there are: each member
computes with one thread, in whatever process. Workers end when the process that started them ends.
"""

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.context import BaseContext
from typing import Any, TypeVar

from specflow.errors import SpecflowError

Job = TypeVar("Job")
Report = Callable[[int], None]

_FIRST = 1  # the process that gets the children of one that has ended
_done: Any = None  # in a worker: units of work done, by place of the member


def num_workers() -> int:
    """Return how many members run side by side: `SPECFLOW_WORKERS`, else one for each core.

    Raises:
        SpecflowError: If the variable is not a whole number of at least 1.
    """
    given = os.environ.get("SPECFLOW_WORKERS")
    if given is None:
        return _num_cores()
    if not given.isdecimal() or int(given) < 1:
        raise SpecflowError(f"SPECFLOW_WORKERS: got {given!r}; expected a whole number from 1")
    return int(given)


def _num_cores() -> int:
    """Return how many cores this process may use, or where no one tells, how many there are."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def exit_with_parent(parent: int) -> None:
    """End this process soon after its parent ends, even if that was killed, or is gone already.

    `SPECFLOW_REPRO` may name one more process, the parent of DVC, to end with.

    Args:
        parent: The parent's number. That of the first process is no parent's that lives, but of
            a container that runs DVC alone.
    """
    given = os.environ.get("SPECFLOW_REPRO", "")
    other = int(given) if given.isdecimal() else None
    if parent == _FIRST and not _is_dvc(parent):
        os._exit(1)

    def watch() -> None:
        while os.getppid() == parent and (other is None or _is_there(other)):
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _is_dvc(process: int) -> bool:
    import psutil  # comes with DVC

    return any("dvc" in word for word in psutil.Process(process).cmdline())


def _is_there(process: int) -> bool:
    try:
        os.kill(process, 0)
    except OSError:  # or the number is now that of a process of somebody else
        return False
    return True


def run_members(
    function: Callable[[Job, Report], None],
    jobs: Mapping[str, Job],
    *,
    title: str,
    total: int,
    workers: int,
) -> None:
    """Run `function(job, report)` for every job, as many side by side as there are workers.

    A member that fails does not stop the others: what they finish is kept.

    Args:
        function: A function at module level; calls `report(n)` after every n units of work.
        jobs: The jobs by member name.
        title: What the progress bar says.
        total: Units of work of all jobs together.
        workers: Number of processes; with 1 the members run in this one.

    Raises:
        SpecflowError: If members failed by errors that a user can mend; it names them all.
    """
    from tqdm import tqdm  # here, so that stages begin even where packages are missing

    with tqdm(total=total, desc=title, unit="step", disable=None) as bar:
        if min(workers, len(jobs)) <= 1:
            failures = _run_here(function, jobs, bar)
        else:
            failures = _run_in_processes(function, jobs, bar, min(workers, len(jobs)))
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


def _run_in_processes(
    function: Callable[[Job, Report], None], jobs: Mapping[str, Job], bar: Any, workers: int
) -> dict[str, SpecflowError]:
    context = multiprocessing.get_context("spawn")
    done = context.RawArray("q", len(jobs))  # a place for each member: no lock to die with
    waiting = deque(enumerate(jobs.items()))
    free: list[ProcessPoolExecutor] = []  # each of one worker: who is killed takes no other along
    running: dict[Future[None], tuple[str, ProcessPoolExecutor]] = {}
    failures = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                place, (name, job) = waiting.popleft()
                with _interrupts_held():
                    pool = free.pop() if free else _worker(context, done)
                    running[pool.submit(_work, function, job, place)] = name, pool
            finished, _ = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
            bar.update(sum(done) - bar.n)
            for future in finished:
                name, pool = running.pop(future)
                try:
                    future.result()
                except SpecflowError as error:
                    failures[name] = error
                except BrokenProcessPool:
                    text = "a worker was killed (out of memory?); the same command resumes"
                    failures[name] = SpecflowError(text)
                    pool.shutdown()
                    continue
                free.append(pool)
    except BaseException:
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    finally:
        for pool in (*free, *(pool for _, pool in running.values())):
            pool.shutdown(wait=True, cancel_futures=True)
    return {name: failures[name] for name in jobs if name in failures}


def _worker(context: BaseContext, done: Any) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, context, initializer=_begin_worker, initargs=(done, os.getpid()))


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Start workers that Ctrl-C never reaches, not even while they import; the parent ends them.

    Workers inherit the mask. Here another thread may take the signal in spite of it, and an
    exception in the middle of a start would leave a worker without its orders: it comes after.
    """
    resource_tracker.ensure_running()  # its start would let interrupts through again
    held = []
    handler = signal.signal(signal.SIGINT, lambda *signal_and_frame: held.append(signal_and_frame))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        signal.signal(signal.SIGINT, handler)
    if held and callable(handler):
        handler(*held[0])


def _begin_worker(done: Any, parent: int) -> None:
    global _done
    _done = done
    exit_with_parent(parent)


def _work(function: Callable[[Any, Report], None], job: Any, place: int) -> None:
    def report(units: int) -> None:
        _done[place] += units

    function(job, report)
