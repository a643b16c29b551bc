"""The process beside a training that measures what was copied; it ends when the training does."""

import os
import pickle
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from queue import Empty, SimpleQueue
from typing import IO

from safetensors.torch import save_file
from torch import Tensor

from specflow.errors import SpecflowError
from specflow.live.buffers import Buffers, Copies
from specflow.live.files import rows_for
from specflow.live.kinds import Kind, checkpoint_of
from specflow.live.messages import Copied, Failed, First, Measured, Setup
from specflow.live.rows import Rows, rows_of
from specflow.textfiles import written

_RARELY = 10  # times as long as the files take to be made passes until they are made again

Files = Mapping[Kind, Rows]


def main() -> None:
    """Measure what is copied, until there is no one to copy."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no answer

    def answer(message: object) -> None:
        with suppress(BrokenPipeError):  # the training was killed; what it copied is measured
            pickle.dump(message, answers)
            answers.flush()

    try:
        # the thread below may read when this one ends, which it could not of sys.stdin
        _measure(os.fdopen(os.dup(sys.stdin.fileno()), "rb"), answer)
    except SpecflowError as error:
        answer(Failed(str(error)))


def _measure(told: IO[bytes], answer: Callable[[object], None]) -> None:
    given: Setup = pickle.load(told)
    with os.fdopen(given.file, "r+b") as file:
        buffers = Buffers(given.copied, given.count, file)
    files = {  # what was measured before is of this training too
        kind: rows_for(kind, given.target, given.wiring)
        for kind in Kind
        if kind in given.kinds or rows_of(kind.place(given.target)).folder.exists()
    }
    with ExitStack() as stack:
        for rows in files.values():
            stack.enter_context(rows.locked())
        try:
            _rows(given, files, buffers, _inbox_of(told), answer)
        finally:
            for rows in files.values():
                rows.publish()


def _rows(
    given: Setup,
    files: Files,
    buffers: Buffers,
    inbox: SimpleQueue[object],
    answer: Callable[[object], None],
) -> None:
    due, is_new, is_first, idle = 0.0, False, True, 0.0
    while True:
        if is_new and time.monotonic() >= due:
            started = time.monotonic()
            for rows in files.values():
                rows.publish()
            is_new, due = False, time.monotonic() + _RARELY * (time.monotonic() - started)
        try:
            copied = inbox.get(timeout=max(due - time.monotonic(), 0.0) if is_new else None)
        except Empty:
            continue
        if not isinstance(copied, Copied):
            return
        number = copied.step.number
        if is_first:
            is_first, idle = False, time.process_time()
            before = {one for rows in files.values() for one in rows.numbers}
            _drop_from(number, given, files)
            goes_on = any(rows.numbers for rows in files.values())
            answer(First(_of_first(files), 0 if goes_on else len(before)))
        if given.stores and Kind.WEIGHTS in copied.kinds:
            _store(given, buffers, copied)
        scalars = {**copied.scalars}
        for kind in copied.kinds:
            found = files[kind].measure(_copies(given, buffers, copied, kind), copied.scalars)
            scalars |= {f"{kind.prefix}{name}": value for name, value in found.items()}
        is_told = given.tells_spectra and Kind.WEIGHTS in copied.kinds
        spectra = files[Kind.WEIGHTS].spectra(number) if is_told else {}
        answer(Measured(copied.slot, number, scalars, spectra, time.process_time() - idle))
        is_new = True


def _of_first(files: Files) -> dict[str, float]:
    """Return the numbers of the first step that there is, if this training went on from there."""
    return {
        f"{kind.prefix}{name}": value
        for kind, rows in files.items()
        for name, value in rows.first().items()
    }


def _drop_from(number: int, given: Setup, files: Files) -> None:
    """Forget a step and all later ones: training has begun again before them."""
    for rows in files.values():
        rows.drop_from(number)
    for path in sorted(checkpoint_of(given.target, 0).parent.glob("step*.safetensors"))[::-1]:
        if path >= checkpoint_of(given.target, number):
            path.unlink()


def _copies(given: Setup, buffers: Buffers, copied: Copied, kind: Kind) -> Copies:
    """Return the weights of a step, its gradients, or what it has changed."""
    needed = [kind, Kind.WEIGHTS] if kind == Kind.UPDATES else [kind]
    infos = {
        name: info
        for name, info in given.infos.items()
        if not copied.absent & {one.of(name) for one in needed}
    }

    def read(name: str) -> Tensor:
        own = buffers.place(copied.slot, kind.of(name)).clone()
        if kind != Kind.UPDATES:
            return own
        exact = buffers.place(copied.slot, Kind.WEIGHTS.of(name)).double() - own.double()
        return exact.to(own.dtype)

    return Copies(read, infos, copied.step)


def _store(given: Setup, buffers: Buffers, copied: Copied) -> None:
    """Keep the weights of a step as a file of safetensors."""
    copies = _copies(given, buffers, copied, Kind.WEIGHTS)
    with written(checkpoint_of(given.target, copied.step.number)) as part:
        save_file({name: copies.read(name) for name in copies.infos}, part)


def _inbox_of(told: IO[bytes]) -> SimpleQueue[object]:
    """Return what the training tells, as it comes; None at the end, however it came."""
    inbox: SimpleQueue[object] = SimpleQueue()

    def read() -> None:
        with suppress(EOFError, pickle.UnpicklingError):
            while (message := pickle.load(told)) is not None:
                inbox.put(message)
        inbox.put(None)

    threading.Thread(target=read, daemon=True).start()
    return inbox


if __name__ == "__main__":
    main()
