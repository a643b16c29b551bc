"""The order in which points lie along a path, where the claimed order is believed if it can be."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Distances = NDArray[np.float64]
_Change = Callable[[list[int], Distances], tuple[float, list[int]]]

# By which a step to the next claimed point counts less, of the distance from either of the two to
# its nearest point: beside a long step, two points that are close can be exchanged at a gain that
# is small for the long step and large for the short one, and it is this that tells their order.
BENEFIT_OF_DOUBT = 0.2
ENOUGH_ALIKE = 0.97  # a path this much as long is hardly shorter
_LONGEST_MOVED = 3
_MOST_STARTS = 12
_ENOUGH = 1e-9  # of the longest distance: less is rounding, no gain


def best_order(distances: Distances) -> list[int]:
    """Return the points, 0 to n - 1, in the order of the shortest path found through all of them.

    Steps from a point to the next one in the claimed order (0, 1, 2, ...) count less than they
    are, so that an order that is about as good as the claimed one does not replace it; and one
    that exchanges few points, all others staying in their places, is preferred to one that is
    hardly shorter. Of a path and its reverse, the one that is more like the claimed order is
    returned.

    Args:
        distances: Of every two points, shape (n, n), symmetric; one point or more.
    """
    n = len(distances)
    # a point at distance 0 of all is both ends, so that the path is a closed one
    costs = np.zeros((n + 1, n + 1))
    costs[:n, :n] = distances
    neighbours = np.arange(n - 1)
    nearest = np.min(distances + np.diag(np.full(n, np.inf)), axis=1, initial=np.inf)
    reduction = BENEFIT_OF_DOUBT * np.minimum(nearest[:-1], nearest[1:])
    costs[neighbours, neighbours + 1] -= reduction
    costs[neighbours + 1, neighbours] -= reduction
    claimed = list(range(n))
    exchanged = _improved(claimed, costs, [_best_exchange])
    firsts = np.unique(np.linspace(0, n - 1, _MOST_STARTS).astype(int)).tolist()
    starts = [exchanged, *(_greedy(distances, first) for first in firsts)]
    found = [_improved(start, costs, [_best_reversal, _best_move]) for start in starts]
    best = min(found, key=lambda path: _length(path, costs))
    if _length(exchanged, costs) <= _length(best, costs) / ENOUGH_ALIKE:
        best = exchanged
    return max(best, best[::-1], key=_like_claimed)


def _greedy(distances: Distances, first: int) -> list[int]:
    """Return a path that goes on to the nearest point that is left."""
    path, left = [first], set(range(len(distances))) - {first}
    while left:
        path.append(min(left, key=lambda point: distances[path[-1], point]))
        left.remove(path[-1])
    return path


def _length(path: list[int], costs: Distances) -> float:
    return float(sum(costs[a, b] for a, b in pairwise(path)))


def _like_claimed(path: list[int]) -> tuple[int, int]:
    """Return how many points are in their claimed places, and pairs in their claimed order."""
    ordered = np.subtract.outer(path, path)[np.tril_indices(len(path), -1)] > 0
    return sum(place == point for place, point in enumerate(path)), int(ordered.sum())


def _improved(path: list[int], costs: Distances, changes: Sequence[_Change]) -> list[int]:
    """Make the best change of a path for as long as that makes it shorter."""
    enough = _ENOUGH * float(costs.max(initial=0.0))
    while True:
        gain, changed = max(change(path, costs) for change in changes)
        if gain <= enough:
            return path
        path = changed


def _best_exchange(path: list[int], costs: Distances) -> tuple[float, list[int]]:
    """Return what exchanging the best two points saves, and the path after it."""
    end = len(costs) - 1
    ring = np.array([end, *path, end])
    inner, before, after = ring[1:-1], ring[:-2], ring[2:]
    old = costs[before, inner] + costs[inner, after]
    placed = costs[before[:, None], inner] + costs[inner, after[:, None]]  # [place, point]
    gains = old[:, None] + old - placed - placed.T
    left = np.arange(len(path) - 1)  # neighbours keep the step between them
    kept = costs[before[left], inner[left + 1]] + costs[inner[left], after[left + 1]]
    gains[left, left + 1] = costs[before[left], inner[left]] - kept
    gains[left, left + 1] += costs[inner[left + 1], after[left + 1]]
    gains = np.triu(gains, 1)
    i, j = np.unravel_index(int(gains.argmax()), gains.shape)
    changed = list(path)
    changed[i], changed[j] = changed[j], changed[i]
    return float(gains[i, j]), changed


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
