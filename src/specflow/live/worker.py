"""The process beside a training that measures what was copied; it ends when the training does."""

import os
import pickle
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from specflow.errors import SpecflowError
from specflow.live.buffers import Buffers, Copies
from specflow.live.messages import Copied, Failed, Measured, Setup
from specflow.live.rows import LiveRows

_RARELY = 2  # times as long as the file takes to be made passes until it is made again


def main() -> None:
    """Measure what is copied, until there is no one to copy."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no answer
    _yield_cores()

    def answer(message: object) -> None:
        pickle.dump(message, answers)
        answers.flush()

    try:
        _measure(answer)
    except SpecflowError as error:
        with suppress(BrokenPipeError):
            answer(Failed(str(error)))


def _measure(answer: Callable[[object], None]) -> None:
    given: Setup = pickle.load(sys.stdin.buffer)
    with os.fdopen(given.file, "r+b") as file:
        buffers = Buffers(given.infos, given.count, file)
    rows = LiveRows(given.target, given.wiring, given.settings)
    with rows.locked():
        with suppress(BrokenPipeError):  # the training was killed
            _rows(rows, buffers, answer)
        rows.publish()


def _rows(rows: LiveRows, buffers: Buffers, answer: Callable[[object], None]) -> None:
    due, is_first = 0.0, True
    while isinstance(copied := _next(), Copied):
        if is_first:
            rows.drop_from(copied.step.number)
            is_first = False
        copies = Copies(buffers, copied.slot, copied.infos, copied.step)
        scalars = {**copied.scalars, **rows.measure(copies)}
        number = copied.step.number
        answer(Measured(copied.slot, number, scalars, rows.spectra(number)))
        if time.monotonic() >= due:
            started = time.monotonic()
            rows.publish()
            due = time.monotonic() + _RARELY * (time.monotonic() - started)


def _next() -> object:
    try:
        return pickle.load(sys.stdin.buffer)
    except EOFError:
        return None


def _yield_cores() -> None:
    """Run only where the training leaves a core idle, as far as the system can do that."""
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    else:
        os.nice(19)


if __name__ == "__main__":
    main()
