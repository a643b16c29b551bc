"""The order in which points lie along a path, where the claimed order is believed if it can be."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Distances = NDArray[np.float64]

BENEFIT_OF_DOUBT = 0.85  # what the step from a point to the next claimed one counts
_LONGEST_MOVED = 3
_MOST_STARTS = 12
_ENOUGH = 1e-9  # of the longest distance: less is rounding, no gain


def best_order(distances: Distances) -> list[int]:
    """Return points in the order of the shortest path found through all of them.

    Steps from a point to the next one in the claimed order (0, 1, 2, ...) count less than they
    are, so that an order that is about as good as the claimed one does not replace it. Of a path
    and its reverse, the one that has more points in the claimed order of precedence is returned.

    Args:
        distances: Of every two points, shape (n, n), symmetric.

    Returns:
        Each of 0 to n - 1 once: which point comes first, second, ...
    """
    n = len(distances)
    # a point at distance 0 of all is both ends, so that the path is a closed one
    costs = np.zeros((n + 1, n + 1))
    costs[:n, :n] = distances
    neighbours = np.arange(n - 1)
    costs[neighbours, neighbours + 1] *= BENEFIT_OF_DOUBT
    costs[neighbours + 1, neighbours] *= BENEFIT_OF_DOUBT
    firsts = np.unique(np.linspace(0, n - 1, _MOST_STARTS).astype(int)).tolist()
    starts = [list(range(n)), *(_greedy(distances, first) for first in firsts)]
    best = min((_improved(start, costs) for start in starts), key=lambda path: _length(path, costs))
    return best if _precedences(best) >= 0 else best[::-1]


def _greedy(distances: Distances, first: int) -> list[int]:
    """Return a path that goes on to the nearest point that is left."""
    path, left = [first], set(range(len(distances))) - {first}
    while left:
        path.append(min(left, key=lambda point: distances[path[-1], point]))
        left.remove(path[-1])
    return path


def _length(path: list[int], costs: Distances) -> float:
    return float(sum(costs[a, b] for a, b in pairwise(path)))


def _precedences(path: list[int]) -> int:
    """Return how many more pairs of points are in the claimed order than in the reverse one."""
    return int(np.sum(np.sign(np.subtract.outer(path, path))[np.tril_indices(len(path), -1)]))


def _improved(path: list[int], costs: Distances) -> list[int]:
    """Reverse and move parts of a path for as long as that makes it shorter."""
    enough = _ENOUGH * float(costs.max(initial=0.0))
    while True:
        gain, changed = max(_best_reversal(path, costs), _best_move(path, costs))
        if gain <= enough:
            return path
        path = changed


def _best_reversal(path: list[int], costs: Distances) -> tuple[float, list[int]]:
    """Return what reversing the best part saves, and the path after it."""
    end = len(costs) - 1
    ring = np.array([end, *path, end])
    inner, before, after = ring[1:-1], ring[:-2], ring[2:]
    old = costs[before, inner][:, None] + costs[inner, after][None, :]
    new = costs[before[:, None], inner[None, :]] + costs[inner[:, None], after[None, :]]
    gains = np.triu(old - new, 1)
    i, j = np.unravel_index(int(gains.argmax()), gains.shape)
    return float(gains[i, j]), path[:i] + path[i : j + 1][::-1] + path[j + 1 :]


def _best_move(path: list[int], costs: Distances) -> tuple[float, list[int]]:
    """Return what moving the best short part elsewhere saves, and the path after it."""
    end, best = len(costs) - 1, (0.0, path)
    for length in range(1, min(_LONGEST_MOVED, len(path) - 1) + 1):
        for start in range(len(path) - length + 1):
            part, rest = path[start : start + length], path[:start] + path[start + length :]
            ring = np.array([end, *rest, end])
            places = costs[ring[:-1], ring[1:]]
            a, b = ring[start], ring[start + 1]
            removed = costs[a, part[0]] + costs[part[-1], b] - costs[a, b]
            for way in (part, part[::-1]):
                added = costs[ring[:-1], way[0]] + costs[way[-1], ring[1:]] - places
                place = int(added.argmin())
                gain = float(removed - added[place])
                if gain > best[0]:
                    best = (gain, rest[:place] + way + rest[place:])
    return best
