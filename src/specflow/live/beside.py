"""The process beside a training, as the training sees it."""

import os
import pickle
import subprocess
import sys
import threading
import weakref
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import NamedTuple

from torch import Tensor

from specflow.live.kinds import Kind
from specflow.live.messages import Copied, Failed, First, Measured, Setup
from specflow.live.network import Network
from specflow.live.transfers import Transfer, pin, unpin

_SOURCE = str(Path(__file__).parents[2])

Answer = First | Measured | Failed
_AHEAD = 4  # steps that it is told of before it has measured them; the others may be given up


class Waiting(NamedTuple):
    """A step that was copied and that it has not been told of.

    Attributes:
        transfer: When the copies are there.
        copied: The step.
        given: The numbers that were given of it.
        due: The how many-th step it is that was due.
    """

    transfer: Transfer
    copied: Copied
    given: Mapping[str, Tensor]
    due: int


class Beside:
    """A process of the lowest priority that measures what is copied for it.

    Attributes:
        buffers: Where to.
        free: Which of the places there are free.
    """

    def __init__(
        self,
        target: Path,
        network: Network,
        kinds: Sequence[Kind],
        *,
        stores: bool,
        tells_spectra: bool,
    ) -> None:
        """Start it; if it `stores`, it keeps the weights too.

        Raises:
            SpecflowError: If there is no memory for copies.
        """
        self.buffers = network.buffers()
        memory = self.buffers.memory if network.is_on_gpu else None
        if memory is not None and not pin(memory):
            memory = None
        self.free = {*range(self.buffers.count)}
        self._answers: SimpleQueue[Answer] = SimpleQueue()
        number = self.buffers.file.fileno()
        paths = [_SOURCE, *filter(None, [os.environ.get("PYTHONPATH")])]
        own = {"PYTHONPATH": os.pathsep.join(paths), "CUDA_VISIBLE_DEVICES": ""}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "specflow.live.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[number],
            env={**os.environ, **own},
            # Ctrl-C ends the training, and that the process; in a session of its own it would have
            # its own share of the cores
            process_group=0,
        )
        _yield_cores(self._process.pid)
        self.buffers.file.close()
        arguments = self._process, self._answers
        self._reader = threading.Thread(target=_read, args=arguments, daemon=True)
        self._reader.start()
        self._pending: deque[Waiting] = deque()
        self._last_told = 0
        # of one that is not ended too
        self._close = weakref.finalize(self, _close, self._process, self._pending, memory)
        about = target, network.wiring, network.infos, self.buffers.infos, kinds
        _send(self._process, Setup(*about, self.buffers.count, number, stores, tells_spectra))

    def send(self, waiting: Waiting) -> None:
        """Tell it of a step, once its copies are there and it has measured most before it.

        If it has ended, why is among its answers.
        """
        waiting.transfer.end()
        self._pending.append(waiting)

    def flush(self) -> float:
        """Tell it of steps whose copies are there; return the seconds that a GPU took for them."""
        told = self.buffers.count - len(self.free) - len(self._pending)
        dues = [one.due for one in self._pending]
        took = _flush(self._process, self._pending, _AHEAD - told)
        self._last_told = [self._last_told, *dues][len(dues) - len(self._pending)]
        return took

    def give_up(self, due: int, *, whole: bool) -> int | None:
        """Return the place of a step that waits, for another; the others stay spread evenly.

        Args:
            due: The how many-th step that is due the other is.
            whole: Whether whole spectra are measured of it; no such step is given up for leading
                values alone, and those first.
        """
        dues = [self._last_told, *(one.due for one in self._pending), due]
        gaps = [after - before for before, after in zip(dues, dues[2:], strict=False)]
        done = [place for place in range(len(gaps)) if self._pending[place].transfer.is_done]
        leading = [p for p in done if Kind.WEIGHTS not in self._pending[p].copied.kinds]
        chosen = leading or (done if whole else [])
        if not chosen:
            return None
        place = min(chosen, key=gaps.__getitem__)
        slot = self._pending[place].copied.slot
        del self._pending[place]
        return slot

    def answers(self) -> Iterator[Answer]:
        """Yield what it has answered since; places that it has read are free again."""
        with suppress(Empty):
            while True:
                answer = self._answers.get_nowait()
                if isinstance(answer, Measured):
                    self.free.add(answer.slot)
                yield answer

    def end(self) -> bool:
        """Wait until it has measured all that was copied; return whether it ended well."""
        if self._process.poll() is None:  # the training waits for it
            _share_cores(self._process.pid)
        self._close()
        self._reader.join()
        return self._process.returncode == 0


def _read(process: "subprocess.Popen[bytes]", answers: "SimpleQueue[Answer]") -> None:
    """Queue what a process answers, and in the end that it has ended."""
    assert process.stdout is not None
    with process.stdout, suppress(EOFError, pickle.UnpicklingError):
        while True:
            answers.put(pickle.load(process.stdout))
    code = process.wait()
    answers.put(Failed(f"the process beside it has ended, with exit status {code}"))


def _send(process: "subprocess.Popen[bytes]", message: object) -> None:
    assert process.stdin is not None
    with suppress(OSError):  # it has ended
        pickle.dump(message, process.stdin)
        process.stdin.flush()


def _flush(
    process: "subprocess.Popen[bytes]", pending: deque[Waiting], most: int, *, is_over: bool = False
) -> float:
    """Tell a process of at most so many steps that are copied, of all in the end."""
    took = 0.0
    while pending and (is_over or (most > 0 and pending[0].transfer.is_done)):
        one, most = pending.popleft(), most - 1
        took += one.transfer.wait()
        scalars = {name: number.item() for name, number in one.given.items()}
        _send(process, replace(one.copied, scalars=scalars))
    return took


def _close(
    process: "subprocess.Popen[bytes]", pending: deque[Waiting], memory: Tensor | None
) -> None:
    """Tell a process that nothing more comes; children of this one may hold its pipe open."""
    try:
        with suppress(RuntimeError):  # of a GPU that has failed
            _flush(process, pending, 0, is_over=True)
            if memory is not None:
                unpin(memory)
    finally:
        _send(process, None)
        assert process.stdin is not None
        with suppress(OSError):
            process.stdin.close()


def _yield_cores(pid: int) -> None:
    """Let a process run only where others leave a core idle, as far as the system can do that."""
    with suppress(OSError, AttributeError):
        os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))
        return
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, 19)


def _share_cores(pid: int) -> None:
    """Let a process run as others do again, where the system lets this user do that."""
    with suppress(OSError, AttributeError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            os.sched_setscheduler(int(thread), os.SCHED_OTHER, os.sched_param(0))
