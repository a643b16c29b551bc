"""Jobs in processes of this machine, one a slot; each ends when what started it does."""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.context import BaseContext
from typing import Any, TypeVar

from specflow.errors import SpecflowError
from specflow.executor.orphans import exit_with_parent
from specflow.executor.slots import Slot, take

Job = TypeVar("Job")
Report = Callable[[int], None]

_done: Any = None  # in a worker: units of work done, by place of the member


def run_in_processes(
    function: Callable[[Job, Report], None],
    jobs: Mapping[str, Job],
    bar: Any,
    slots: Sequence[Slot],
) -> dict[str, SpecflowError]:
    """Run jobs in processes, one for each slot; return the errors of those that failed, by name.

    Args:
        function: As for `run_members`.
        jobs: As for `run_members`.
        bar: The progress bar.
        slots: Where they run.
    """
    context = multiprocessing.get_context("spawn")
    done = context.RawArray("q", len(jobs))  # a place for each member: no lock to die with
    waiting = deque(enumerate(jobs.items()))
    empty = list(reversed(slots))  # without a process
    free: list[_Worker] = []
    running: dict[Future[None], tuple[str, _Worker]] = {}
    failures = {}
    try:
        while waiting or running:
            while waiting and (free or empty):
                place, (name, job) = waiting.popleft()
                with _interrupts_held():
                    worker = free.pop() if free else _Worker.start(empty.pop(), context, done)
                    running[worker.pool.submit(_work, function, job, place)] = name, worker
            finished, _ = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
            bar.update(sum(done) - bar.n)
            for future in finished:
                name, worker = running.pop(future)
                try:
                    future.result()
                except SpecflowError as error:
                    failures[name] = error
                except BrokenProcessPool:
                    text = "a worker was killed (out of memory?); the same command resumes"
                    failures[name] = SpecflowError(text)
                    worker.pool.shutdown()
                    empty.append(worker.slot)
                    continue
                free.append(worker)
    except BaseException:
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    finally:
        for worker in (*free, *(worker for _, worker in running.values())):
            worker.pool.shutdown(wait=True, cancel_futures=True)
    return {name: failures[name] for name in jobs if name in failures}


@dataclass(frozen=True)
class _Worker:
    """A process in a slot; one a pool: who is killed takes no other along."""

    slot: Slot
    pool: ProcessPoolExecutor

    @classmethod
    def start(cls, slot: Slot, context: BaseContext, done: Any) -> "_Worker":
        orders = slot, done, os.getpid()
        return cls(
            slot, ProcessPoolExecutor(1, context, initializer=_begin_worker, initargs=orders)
        )


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


def _begin_worker(slot: Slot, done: Any, parent: int) -> None:
    global _done
    _done = done
    take(slot)
    exit_with_parent(parent)


def _work(function: Callable[[Any, Report], None], job: Any, place: int) -> None:
    def report(units: int) -> None:
        _done[place] += units

    function(job, report)
