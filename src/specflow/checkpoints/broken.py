"""Steps that cannot be read: all of them are named at once, with the way to do without them."""

from collections.abc import Iterator
from contextlib import contextmanager

from specflow.checkpoints.remote.http import UnreachableError
from specflow.errors import SpecflowError, number_of

_SHOWN = 10  # of the errors, in one message


class Broken:
    """The errors of steps, which are raised together when all have been looked at."""

    def __init__(self) -> None:
        """Begin with none."""
        self._found: list[SpecflowError] = []
        self._seen = 0

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Take note of the error of one step.

        Raises:
            UnreachableError: If a server was waited for in vain: others would be, too.
        """
        self._seen += 1
        try:
            yield
        except UnreachableError:
            raise
        except SpecflowError as error:
            self._found.append(error)

    def check(self) -> None:
        """Raise what was noted.

        Raises:
            SpecflowError: If there is anything; with the errors of all, if some could be read.
        """
        if not self._found:
            return
        first, count = self._found[0], len(self._found)
        if count == self._seen:
            raise first
        said = "; ".join([*map(str, self._found[:_SHOWN]), *(["..."] if count > _SHOWN else [])])
        way = f"{count} of {number_of(self._seen, 'step')} cannot be read: name the others alone"
        raise SpecflowError(f"{said}; {way}") from first
