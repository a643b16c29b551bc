"""A watch over a network in training: copies of its weights at some steps, measured beside it."""

import math
import os
import pickle
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Self

from pydantic import ValidationError
from torch import Tensor, nn

from specflow.checkpoints.base import Step
from specflow.errors import SpecflowError, number_of
from specflow.live.messages import Copied, Failed, Measured, Setup
from specflow.live.network import Network
from specflow.live.rows import LiveRows, Scalars
from specflow.live.settings import SPECTRA, WatchParams
from specflow.section_errors import problems_of

_SOURCE = str(Path(__file__).parents[2])
Sink = Callable[[int, Scalars], None]


class Watch:
    """Measures the spectra of a network while it trains; made by `specflow.watch`.

    At the steps that are due weights are copied, which is all that the training waits for; a
    process of the lowest priority measures them. A step for which there is no time, since those
    before wait to be measured or copies would take more than the budget, is dropped, and how many
    are is said in the end.
    """

    def __init__(
        self, model: nn.Module, path: Path, params: WatchParams, sinks: Sequence[Sink] = ()
    ) -> None:
        """Find the matrices of a network, and start the process beside it.

        Raises:
            SpecflowError: If there are no matrices, or the file is of other ones.
        """
        self._params, self._sinks, self._path = params, sinks, path
        self._network = Network(model, params)
        LiveRows(path, self._network.wiring, SPECTRA)
        self._buffers = self._network.buffers()
        self._free = {*range(self._buffers.count)}
        self._due, self._dropped, self._is_first = -math.inf, 0, True
        self._latest, self._is_told = -1, False
        self._began, self._spent, self._longest = time.perf_counter(), 0.0, 0.0
        self._answers: SimpleQueue[object] = SimpleQueue()
        self._is_open = True
        self._worker = self._started()

    def step(self, step: int, **scalars: float | Tensor) -> None:
        """Tell that the network has taken a step; if it is due, its weights are copied.

        Args:
            step: How many steps it has taken, more than when this was called before.
            scalars: What else is known of the step, such as its loss, for sinks. They are looked
                at only if the step is measured.
        """
        if step <= self._latest and not self._is_told:
            self._is_told = True
            self._warn(
                f"step: got {step} after {self._latest}; expected numbers that ascend over the "
                "whole training; others are not measured"
            )
        self._latest = max(step, self._latest)
        if step < self._due or not self._is_open:
            return
        began = time.perf_counter()
        self._collect()
        if self._is_open and self._free and self._affordable(began):
            self._copy(step, scalars)
            self._longest = max(self._longest, time.perf_counter() - began)
        elif self._is_open:
            self._dropped += 1
        self._due = self._params.due_after(step)
        self._spent += time.perf_counter() - began

    def close(self) -> None:
        """Wait until all that was copied is measured, and the file is complete."""
        if self._input.closed:
            return
        self._is_open = False
        with suppress(BrokenPipeError):
            self._input.close()
        self._worker.wait()
        self._reader.join()
        self._collect()
        if self._dropped:
            self._warn(
                f"not measured: {number_of(self._dropped, 'step')} of those that were due, since "
                "measuring took longer than from one to the next, or copying more than "
                f"{self._params.budget:g} of the time (`budget`)"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def spent(self) -> float:
        """Share of the time since the start that the training has waited for copies."""
        return self._spent / (time.perf_counter() - self._began)

    def _affordable(self, now: float) -> bool:
        """Return whether another copy is within the budget; the first one always is."""
        return self._is_first or self._spent + self._longest <= self._params.budget * (
            now - self._began
        )

    def _copy(self, step: int, scalars: Mapping[str, float | Tensor]) -> None:
        slot = self._free.pop()
        infos = self._network.copy_to(self._buffers, slot)
        known = {
            name: float(value.detach() if isinstance(value, Tensor) else value)
            for name, value in scalars.items()
        }
        self._send(Copied(slot, Step(step, None, str(self._path)), infos, known))
        self._is_first = False

    def _started(self) -> "subprocess.Popen[bytes]":
        paths = [_SOURCE, *filter(None, [os.environ.get("PYTHONPATH")])]
        number = self._buffers.file.fileno()
        process = subprocess.Popen(
            [sys.executable, "-m", "specflow.live.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[number],
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(paths),
                "CUDA_VISIBLE_DEVICES": "",
            },
            start_new_session=True,  # Ctrl-C ends the training, and that the worker
        )
        self._buffers.file.close()
        assert process.stdin is not None
        assert process.stdout is not None
        self._input, output = process.stdin, process.stdout

        def read() -> None:
            with output, suppress(EOFError):
                while True:
                    self._answers.put(pickle.load(output))
            if process.wait() or self._is_open:
                ended = f"the process beside it has ended, with exit status {process.returncode}"
                self._answers.put(Failed(ended))

        self._reader = threading.Thread(target=read, daemon=True)
        self._reader.start()
        network = self._network
        self._send(
            Setup(self._path, network.wiring, SPECTRA, network.infos, self._buffers.count, number)
        )
        return process

    def _send(self, message: object) -> None:
        with suppress(BrokenPipeError):  # why the worker has ended is among its answers
            pickle.dump(message, self._input)
            self._input.flush()

    def _collect(self) -> None:
        """Take what the worker has answered: free its slot, tell sinks, or say why it has ended."""
        with suppress(Empty):
            while True:
                answer = self._answers.get_nowait()
                if isinstance(answer, Measured):
                    self._free.add(answer.slot)
                    for sink in self._sinks:
                        sink(answer.number, answer.scalars)
                elif isinstance(answer, Failed):
                    self._is_open = False
                    self._warn(f"{answer.message}; training goes on, and is watched no more")

    def _warn(self, message: str) -> None:
        warnings.warn(f"specflow.watch: {self._path}: {message}", stacklevel=3)


def started(
    model: nn.Module, path: Path, given: Mapping[str, object], sinks: Sequence[Sink]
) -> Watch:
    """Return a watch that has begun, with params as they are given in Python.

    Raises:
        SpecflowError: If one of them is not as expected, or as for `Watch`.
    """
    try:
        params = WatchParams.model_validate(given)
    except ValidationError as error:
        raise SpecflowError("; ".join(problems_of(error, WatchParams, given))) from error
    return Watch(model, path, params, sinks)
