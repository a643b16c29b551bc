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

from torch import Tensor

from specflow.live.kinds import Kind
from specflow.live.messages import Copied, Failed, First, Measured, Setup
from specflow.live.network import Network
from specflow.live.transfers import Transfer, pin, unpin

_SOURCE = str(Path(__file__).parents[2])

Answer = First | Measured | Failed
Sent = tuple[Transfer, Copied, Mapping[str, Tensor]]


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
        self._pending: deque[Sent] = deque()
        # of one that is not ended too
        self._close = weakref.finalize(self, _close, self._process, self._pending, memory)
        about = target, network.wiring, network.infos, self.buffers.infos, kinds
        _send(self._process, Setup(*about, self.buffers.count, number, stores, tells_spectra))

    def send(self, transfer: Transfer, copied: Copied, given: Mapping[str, Tensor]) -> None:
        """Tell it of a step, once its copies and the numbers given of it are there.

        If it has ended, why is among its answers.
        """
        transfer.end()
        self._pending.append((transfer, copied, given))

    def flush(self) -> float:
        """Tell it of all steps whose copies are there; return the seconds that a GPU took."""
        return _flush(self._process, self._pending)

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
    process: "subprocess.Popen[bytes]", pending: deque[Sent], *, is_over: bool = False
) -> float:
    took = 0.0
    while pending and (is_over or pending[0][0].is_done):
        transfer, copied, given = pending.popleft()
        took += transfer.wait()
        scalars = {name: number.item() for name, number in given.items()}
        _send(process, replace(copied, scalars=scalars))
    return took


def _close(process: "subprocess.Popen[bytes]", pending: deque[Sent], memory: Tensor | None) -> None:
    """Tell a process that nothing more comes; children of this one may hold its pipe open."""
    try:
        with suppress(RuntimeError):  # of a GPU that has failed
            _flush(process, pending, is_over=True)
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
