"""What every stage script does around its work: arguments, errors, ending with DVC."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import signature

from specflow.errors import SpecflowError
from specflow.executor import exit_with_parent


def run_stage(main: Callable[..., None]) -> None:
    """Call `main` with the arguments of the command line.

    An error that a user can mend is printed without a traceback and ends the stage with status 1.
    Under DVC the stage ends when DVC does, even if that was killed.

    Args:
        main: The stage; takes as many strings as the command line has arguments.
    """
    if "DVC_ROOT" in os.environ:
        exit_with_parent()
    try:
        signature(main).bind(*sys.argv[1:])
    except TypeError as error:
        sys.exit(f"{sys.argv[0]}: {error}")
    with exit_on_error():
        main(*sys.argv[1:])


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Print an error that a user can mend without a traceback, and end with status 1."""
    try:
        yield
    except SpecflowError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
