"""How much may be received with a tensor of what lies behind it, so that requests are fewer."""

from collections.abc import Iterable
from itertools import takewhile
from threading import Lock

SHARE = 0.02  # of the bytes that were read
MOST = 2**24  # bytes that wait


class ReadAhead:
    """What was received before anybody asked for it, over all steps of a training.

    What nobody has said to read is at most a share of the bytes that were asked for, whatever is
    asked for next. Where tensors are read in their order, the share grows with each request, so
    that thousands of small ones take a few hundred. All that waits is bounded.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self._lock = Lock()
        self._read = self._waiting = self._lost = 0

    def with_next(self, size: int, following: Iterable[int]) -> int:
        """Return how many of those that follow may be received with `size` bytes that are read.

        They are taken to be received.

        Args:
            size: Bytes of a tensor that is read.
            following: Bytes of each of those behind it that nobody has said to read.
        """
        with self._lock:
            self._read += size
            return self._taken(following, min(SHARE * self._read - self._lost, MOST))

    def expected(self, sizes: Iterable[int]) -> int:
        """Return how many may be received of those that will be asked for; they are received.

        Args:
            sizes: Bytes of each.
        """
        with self._lock:
            return self._taken(sizes, MOST)

    def asked_for(self, size: int) -> None:
        """Take note that one of `size` bytes that waits is read."""
        with self._lock:
            self._read += size
            self._waiting -= size

    def dropped(self, size: int) -> None:
        """Take note that `size` bytes that waited are gone; they were received in vain."""
        with self._lock:
            self._lost += size
            self._waiting -= size

    def _taken(self, sizes: Iterable[int], most: float) -> int:
        """Return how many of the first of these may wait, too, and take note that they do."""
        count = 0
        for size in takewhile(lambda size: self._waiting + size <= most, sizes):
            count, self._waiting = count + 1, self._waiting + size
        return count
