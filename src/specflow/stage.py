"""What is around the work of every stage: `python -m specflow.stage NAME` runs `stages/NAME.py`.

The process is told of the end of its parent before it imports what takes seconds.
"""

import io
import os
import select
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from inspect import signature

from specflow.errors import SpecflowError, printable
from specflow.executor import exit_with_dvc

INTERRUPTED = 130  # what a shell says of a command that Ctrl-C ended


def run_stage(name: str, *arguments: str) -> None:
    """Call `main` of a stage's script, in the working folder, with arguments of the command line.

    An error that a user can mend, a `SpecflowError`, is one line. Under DVC the stage ends when
    DVC does, even if that was killed. SIGTERM does what Ctrl-C does.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if "DVC_ROOT" in os.environ:
        exit_with_dvc()
    with exit_on_error():
        main = import_module(f"stages.{name}").main
        _check(name, main, arguments)
        main(*arguments)


def _check(name: str, main: Callable[..., None], arguments: tuple[str, ...]) -> None:
    try:
        signature(main).bind(*arguments)
    except TypeError as error:
        raise SpecflowError(f"stages/{name}.py: {error}") from error


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Print one line instead of a traceback, and end the process with a status.

    1 after an error that a user can mend, which is any of the system too, 130 after Ctrl-C. Names
    that are not ours cannot move the cursor, and print in whatever encoding the terminal has.

    Raises:
        ModuleNotFoundError: If it is a module of specflow; any other package is of an extra.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        yield
        sys.stdout.flush()
    except SpecflowError as error:
        print(f"error: {printable(str(error))}", file=sys.stderr)
        sys.exit(1)
    except ModuleNotFoundError as error:
        name = (error.name or "specflow").split(".")[0]
        if name == "specflow":
            raise
        hint = "`pip install 'specflow[pipeline]'` installs what the pipeline needs"
        print(f"error: the package {name} is not here; {hint}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        if isinstance(error, BrokenPipeError) and _nobody_listens():  # as after `| head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nor at the end
            sys.exit(1)
        print(f"error: {printable(str(error))}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted; the same command resumes", file=sys.stderr)
        sys.exit(INTERRUPTED)


def _nobody_listens() -> bool:
    """Return whether what reads the output has ended."""
    output = select.poll()
    output.register(sys.stdout.fileno(), 0)
    return any(events & select.POLLERR for _, events in output.poll(0))


if __name__ == "__main__":
    run_stage(*sys.argv[1:])
