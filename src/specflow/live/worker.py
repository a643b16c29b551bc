"""The process beside a training that measures what was copied; it ends when the training does."""

import os
import pickle
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress

from safetensors.torch import save_file
from torch import Tensor

from specflow.errors import SpecflowError
from specflow.live.buffers import Buffers, Copies
from specflow.live.kinds import Kind, checkpoint_of
from specflow.live.messages import Copied, Failed, Measured, Setup
from specflow.live.rows import LiveRows, rows_of
from specflow.textfiles import written

_RARELY = 10  # times as long as the file takes to be made passes until it is made again


def main() -> None:
    """Measure what is copied, until there is no one to copy."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no answer

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
        buffers = Buffers(given.copied, given.count, file)
    name = next(iter(given.infos))
    places = {kind: kind.place(given.target) for kind in Kind}
    files = {  # what was measured before is of this training too
        kind: LiveRows(place, given.wiring, given.settings)
        for kind, place in places.items()
        if kind.of(name) in given.copied or rows_of(place).folder.exists()
    }
    with ExitStack() as stack:
        for rows in files.values():
            stack.enter_context(rows.locked())
        try:
            with suppress(BrokenPipeError):  # the training was killed
                _rows(given, files, buffers, answer)
        finally:
            for rows in files.values():
                rows.publish()


def _rows(
    given: Setup, files: Mapping[Kind, LiveRows], buffers: Buffers, answer: Callable[[object], None]
) -> None:
    due, is_first, idle = 0.0, True, 0.0
    while isinstance(copied := _next(), Copied):
        number = copied.step.number
        if is_first:
            is_first, idle = False, time.process_time()
            _drop_from(number, given, files)
        if given.stores:
            _store(given, buffers, copied)
        scalars = {**copied.scalars}
        for kind, rows in files.items():
            if kind.of(next(iter(given.infos))) in given.copied:
                found = rows.measure(_copies(given, buffers, copied, kind))
                scalars |= {f"{kind.prefix}{name}": value for name, value in found.items()}
        spectra, busy = files[Kind.WEIGHTS].spectra(number), time.process_time() - idle
        answer(Measured(copied.slot, number, scalars, spectra, busy))
        if time.monotonic() >= due:
            started = time.monotonic()
            for rows in files.values():
                rows.publish()
            due = time.monotonic() + _RARELY * (time.monotonic() - started)


def _drop_from(number: int, given: Setup, files: Mapping[Kind, LiveRows]) -> None:
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
        if kind in copied.kinds and not copied.absent & {one.of(name) for one in needed}
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


def _next() -> object:
    """Return what comes next, None at the end, however it came."""
    try:
        return pickle.load(sys.stdin.buffer)
    except (EOFError, pickle.UnpicklingError):
        return None


if __name__ == "__main__":
    main()
