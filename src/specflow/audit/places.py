"""Which steps hold the weights of which: told from distances, and only where these are clear.

The weights of a training that are looked at from time to time are x_t = p_t + n_t: a path p whose
steps do not turn back, and noise n that each step has for itself, of any size. Of squared
distances, those from one step to the next add up along the true order, and noise adds the same to
every order, but for its ends. So a sum of squared distances that another order makes shorter tells
of steps that are exchanged, and neither slow and fast phases nor noise that comes and goes do.

An exchange of two steps counts if what it saves stands out of chance, of what is left to save
after all of them, and at an end of the noise there is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

FEWEST = 4  # steps: the middle one of three is as likely to be noisy as to be an end
_CHUNK = 2**14  # entries at a time
_DEVIATIONS = 6.0  # of a sum over entries: among 10^4 exchanges chance reaches 4
_SHARE = 0.05  # of the changed edges: less may be how the training itself turns back
_COSINES = 5.0  # times what changes of other times have in common by chance, as a share
_CLEAR = 3.0  # times what any further change of the order would save
_NOISES = 5.0  # at an end, times the noise: an end saves its noise, which may differ by step
_OF_FOUR = 0.3  # with `_NOISES`, 1.5 times what noise can save
_TURN_NOISES = 1.5  # the same for turning a part around, which only casts doubt
_FAR = 10.0  # times the distance that any other step has to its nearest one


@dataclass(frozen=True)
class Order:
    """The order in which steps lie.

    Attributes:
        path: By place, the step that belongs there; what cannot be told is as claimed.
        doubtful: Places that are exchanged, unless those of `path` that are not as claimed are;
            the same steps, passed through from the other end, tell no more. Then `path` is as
            claimed, and `exchanged` the other places.
        exchanged: See there.
    """

    path: tuple[int, ...]
    exchanged: tuple[int, ...] = ()
    doubtful: tuple[int, ...] = ()


class _Exchange(NamedTuple):
    """Two places, what exchanging their steps saves, and as a share of the edges it changes."""

    first: int
    second: int
    saved: float
    share: float


def order_of(points: Array) -> Order:
    """Return the order in which points lie, if they are clearly not in that of their places.

    Args:
        points: Weights or a sample of them, a row a step, shape (T, n).
    """
    claimed = list(range(len(points)))
    if len(points) < FEWEST or not points.shape[1]:
        return Order(tuple(claimed))
    search = _Search(points)
    path = list(claimed)
    exchanges: list[_Exchange] = []
    while len(exchanges) < len(points) and (best := search.best_exchange(path)) is not None:
        exchanges.append(best)
        path = _exchanged(path, best)
    left = search.left_to_save(path)
    chance = _COSINES * search.common_of_changes(path)
    while exchanges and not _clear(exchanges, left, chance):
        left = max(left, exchanges.pop().saved)
    path = list(claimed)
    for exchange in exchanges:
        path = _exchanged(path, exchange)
    turned = min((path[::-1], search.turned_within(path)), key=_displaced)
    if exchanges and _displaced(turned) <= _displaced(path):
        return Order(tuple(claimed), _moved(path), _moved(turned))
    return Order(tuple(path))


def shows_exchanges(points: Array) -> bool:
    """Return whether an exchange of any two neighbours, but at an end, would not pass for an order.

    It is tried among the four steps around it. Noise about one place, or steps that do not move,
    hide it. Of fewer than four steps there is none to try.

    Args:
        points: As for `order_of`, in an order in which that finds nothing.
    """
    windows = [points[first : first + FEWEST] for first in range(len(points) - FEWEST + 1)]
    exchanged = [order_of(window[[0, 2, 1, 3]]) for window in windows]
    return bool(windows) and all(one.doubtful or one.path != (0, 1, 2, 3) for one in exchanged)


def squared_distances(points: Array) -> Array:
    """Return the mean squared difference of every two rows, shape (T, T)."""
    products = np.zeros((len(points), len(points)))
    for start in range(0, points.shape[1], _CHUNK):
        part = points[:, start : start + _CHUNK].astype(np.float64)
        part -= part.mean(axis=0)
        products += part @ part.T
    norms = np.diag(products)
    return np.clip(norms[:, None] + norms - 2 * products, 0, None) / max(points.shape[1], 1)


def leaves(squares: Array) -> Array:
    """Return how far each point lies from what connects the others, as a square, shape (T,).

    Half of d(a, j) + d(j, b) - d(a, b), for the a and b that make it least: 0 on a path, but for
    its ends, and the noise of j.
    """
    found = np.zeros(len(squares))
    for point in range(len(squares)):
        own = np.delete(squares[point], point)
        others = np.delete(np.delete(squares, point, axis=0), point, axis=1)
        around = own[:, None] + own - others + np.diag(np.full(len(own), np.inf))
        found[point] = max(around.min(initial=np.inf) / 2, 0)
    return found


def noise_of(leaves: Array) -> float:
    """Return the noise of steps by how far each lies from the others, as a square.

    That of the noisiest, but for the two that may be ends. Of four, the two may as well be noisy:
    then a share of the second, by which an exchange at an end must save more than noise can.
    """
    ascending = np.sort(leaves)
    if len(leaves) < FEWEST:
        return np.inf
    return float(ascending[-3] if len(leaves) > FEWEST else _OF_FOUR * ascending[-2])


def deviations(terms: Array) -> float:
    """Return a sum over its standard deviation if the terms were independent, of mean 0."""
    size = float(np.sqrt(np.square(terms).sum()))
    return float(terms.sum()) / size if size > 0 else 0.0


class _Search:
    """Orders of points, and what changes of them save."""

    def __init__(self, points: Array) -> None:
        self._points, self._squares = points, squared_distances(points)
        self._noise = noise_of(leaves(self._squares))
        self._at_end = np.zeros(self._squares.shape)
        self._at_end[[0, -1], :] = self._at_end[:, [0, -1]] = self._noise

    def best_exchange(self, path: list[int]) -> _Exchange | None:
        """Return the exchange that saves most; None if it is not significant."""
        far = self._far_ends(path)
        savings = np.triu(_savings(path, self._costs(far)) - _NOISES * self._at_end, 1)
        a, b = map(int, np.unravel_index(int(savings.argmax()), savings.shape))
        saved = float(savings[a, b])
        if saved <= 1e-9 * float(self._squares.max()):  # rounding
            return None
        before, after = (_edges(way, far) for way in (path, _exchanged(path, (a, b))))
        old, new = (self._terms(edges) for edges in (before - after, after - before))
        sizes = (old.sum(), np.sqrt(np.square(old - new).sum()))
        share, significance = saved * len(old) / np.maximum(sizes, 1e-300)
        if significance < _DEVIATIONS or share < _SHARE:
            return None
        return _Exchange(a, b, saved, float(share))

    def left_to_save(self, path: list[int]) -> float:
        """Return what the best further exchange, or turn of a part, would save."""
        costs = self._costs(self._far_ends(path))
        exchange = np.triu(_savings(path, costs) - _NOISES * self._at_end, 1)
        turn = np.triu(_turn_savings(path, costs) - _TURN_NOISES * self._at_end, 1)
        return max(0.0, float(exchange.max()), float(turn.max()))

    def common_of_changes(self, path: list[int]) -> float:
        """Return the size of negative cosines of changes at times that are apart.

        Independent noise in n directions gives 1 / sqrt(n), and what has few directions more.
        """
        far = self._far_ends(path)
        changes = np.diff(self._points[[point for point in path if point not in far]], axis=0)
        products = changes.astype(np.float64) @ changes.T
        norms = np.sqrt(np.diag(products))
        sizes = np.outer(norms, norms)
        cosines = np.divide(products, sizes, out=np.zeros_like(products), where=sizes > 0)
        apart = cosines[np.triu_indices(len(changes), 3 if len(path) > 6 else 2)]
        negative = apart[apart < 0]
        least = 1 / np.sqrt(self._points.shape[1])
        return max(float(np.sqrt(np.square(negative).mean())), least) if len(negative) else least

    def turned_within(self, path: list[int]) -> list[int]:
        """Return the path the other way round but for ends that lie far from all."""
        far = self._far_ends(path)
        rest = iter([point for point in reversed(path) if point not in far])
        return [point if point in far else next(rest) for point in path]

    def _far_ends(self, path: list[int]) -> list[int]:
        """Return ends that lie so far from all others that they tell nothing of their order."""
        nearest = (self._squares + np.diag(np.full(len(path), np.inf))).min(axis=1)
        ends = (path[0], path[-1])
        return [end for end in ends if nearest[end] > _FAR * np.delete(nearest, end).max()]

    def _costs(self, far: Sequence[int]) -> Array:
        """Return distances to and from an end, a last point at no distance from any, too."""
        n = len(self._squares)
        costs = np.zeros((n + 1, n + 1))
        costs[:n, :n] = self._squares
        for end in far:
            costs[end, :n] = costs[:n, end] = np.delete(self._squares[end], end).min()
        return costs

    def _terms(self, edges: set[tuple[int, int]]) -> Array:
        """Return the squared lengths of edges, summed, entry by entry."""
        terms = np.zeros(self._points.shape[1])
        for a, b in edges:
            terms += np.square(self._points[a].astype(np.float64) - self._points[b])
        return terms


def _clear(exchanges: Sequence[_Exchange], left: float, chance: float) -> bool:
    weakest = min(exchange.saved for exchange in exchanges)
    return weakest >= _CLEAR * left and min(exchange.share for exchange in exchanges) >= chance


def _exchanged(path: list[int], places: Sequence[float]) -> list[int]:
    a, b = int(places[0]), int(places[1])
    changed = list(path)
    changed[a], changed[b] = changed[b], changed[a]
    return changed


def _moved(path: Sequence[int]) -> tuple[int, ...]:
    return tuple(place for place, point in enumerate(path) if place != point)


def _displaced(path: Sequence[int]) -> int:
    return len(_moved(path))


def _edges(path: list[int], but: Sequence[int]) -> set[tuple[int, int]]:
    pairs = (pair for pair in pairwise(path) if not set(pair) & set(but))
    return {(min(pair), max(pair)) for pair in pairs}


def _savings(path: list[int], costs: Array) -> Array:
    """Return what exchanging every two points saves, by their places."""
    before, inner, after = _around(path, costs)
    old = costs[before, inner] + costs[inner, after]
    placed = costs[before[:, None], inner] + costs[inner, after[:, None]]  # [place, point]
    savings = old[:, None] + old - placed - placed.T
    left = np.arange(len(path) - 1)  # neighbours keep the edge between them
    kept = costs[before[left], inner[left + 1]] + costs[inner[left], after[left + 1]]
    savings[left, left + 1] = costs[before[left], inner[left]] - kept
    savings[left, left + 1] += costs[inner[left + 1], after[left + 1]]
    return savings


def _turn_savings(path: list[int], costs: Array) -> Array:
    """Return what turning every part around saves, by its first and last place."""
    before, inner, after = _around(path, costs)
    old = costs[before, inner][:, None] + costs[inner, after][None, :]
    return old - costs[before[:, None], inner[None, :]] - costs[inner[:, None], after[None, :]]


def _around(path: list[int], costs: Array) -> tuple[NDArray[np.int64], ...]:
    end = len(costs) - 1
    ring = np.array([end, *path, end])
    return ring[:-2], ring[1:-1], ring[2:]
