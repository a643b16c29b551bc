"""How much may be received with a tensor of what lies behind it, so that requests are fewer."""

from collections.abc import Iterable
from threading import Lock

SHARE = 0.02  # of the bytes that were read
MOST = 2**24  # bytes that wait


class ReadAhead:
    """What was received before anybody asked for it, over all steps of a training.

    Its bytes are at most a share of those that were asked for, whatever is asked for next. Where
    tensors are read in their order, the share grows with each request, so that thousands of small
    ones take a few hundred.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self._lock = Lock()
        self._read = self._waiting = 0

    def with_next(self, size: int, following: Iterable[int]) -> int:
        """Return how many of those that follow may be received with `size` bytes that are read.

        They are taken to be received.

        Args:
            size: Bytes of a tensor that is read.
            following: Bytes of each of those behind it that nobody has said to read.
        """
        with self._lock:
            self._read += size
            left = min(SHARE * self._read, MOST) - self._waiting
            count = taken = 0
            for one in following:
                if taken + one > left:
                    break
                count, taken = count + 1, taken + one
            self._waiting += taken
            return count

    def expected(self, size: int) -> None:
        """Take note that `size` bytes are received that will be asked for."""
        with self._lock:
            self._waiting += size

    def asked_for(self, size: int) -> None:
        """Take note that one of `size` bytes that waits is read."""
        with self._lock:
            self._read += size
            self._waiting -= size
