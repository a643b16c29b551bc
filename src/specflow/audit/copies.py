"""Tensors that are bit for bit those of another step though they differ between: which is whose.

A tensor that stays the same for a while is frozen then; one that comes back exactly does not do so
by training. Which of the equal steps it belongs to is told by its neighbours: on a path that does
not turn back, a tensor in its own place lies between them, all but its noise.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from specflow.audit.findings import Flag
from specflow.audit.places import Array, deviations, leaves, noise_of, squared_distances
from specflow.audit.suite import Named, Suite

_ENTRIES = 16  # that differ between: fewer may come back by themselves (clipped, or of few bits)
_DEVIATIONS = 5.0  # by which a tensor fits one place better than another
_NOISES = 3.0  # times the noise there is: it may differ by step
_OUTLIERS = 3  # times as many steps are equal as differ between them: then these are wrong
_UNTOLD = "; it cannot be told whose it is"
# The second of step 0 and 1, where a warm-up begins with a learning rate of 0.
_NEIGHBOURS = "; one is a copy, or nothing was trained between"

Places = tuple[int, ...]


@dataclass(frozen=True)
class _Fit:
    """How a tensor fits into places that follow each other.

    Attributes:
        run: The places.
        terms: How far it lies, as a square, from what connects their neighbours, entry by entry;
            at an end, how far the next place lies from what connects it and the one after.
        noise: What noise may make of the sum of these.
    """

    run: Places
    terms: Array
    noise: float

    @property
    def misfit(self) -> float:
        return float(self.terms.sum())

    def clearly_worse_than(self, own: "_Fit") -> bool:
        worse = self.misfit > 2 * max(own.misfit, self.noise, 0)
        return worse and deviations(self.terms - own.terms) >= _DEVIATIONS


def copies_of(suite: Suite) -> Named:
    """Return steps, and tensors of steps, that are those of another step."""
    flags: list[Flag] = []
    whole: set[int] = set()
    for group in _identical(suite):
        guilty = _guilty(suite, suite.weights, group)
        doubt = "" if guilty else _NEIGHBOURS if len(_runs(group)) == 1 else _UNTOLD
        whole |= set(guilty or group)
        for place in guilty or group:
            others = suite.called(other for other in group if other != place)
            evidence = f"every tensor is that of {others}{doubt}"
            flags.append(suite.flag(place, "identical", [], evidence))
    tensors: set[str] = set()
    for (group, between), names in _recurring(suite, whole).items():
        if len(group) >= _OUTLIERS * len(between):
            flags += _altered(suite, group, between, names)
        else:
            flags += _foreign(suite, group, names)
        tensors |= set(names)
    return Named(tuple(flags), frozenset(whole), frozenset(tensors))


def _altered(suite: Suite, group: Places, between: Places, names: list[str]) -> Iterator[Flag]:
    where = f"equal, bit for bit, at {len(group)} steps before and after, and differs here"
    for place in between:
        yield suite.flag(place, "altered", names, where)


def _foreign(suite: Suite, group: Places, names: list[str]) -> Iterator[Flag]:
    guilty = _guilty(suite, names, group)
    for place in guilty or group:
        others = [other for other in group if other not in guilty] if guilty else group
        what = f"bit for bit that of {suite.called(other for other in others if other != place)}"
        differs = suite.called([_first_between(group, place)])
        evidence = f"{what}, and differs at {differs}{'' if guilty else _UNTOLD}"
        yield suite.flag(place, "of_another_step", names, evidence)


def _first_between(group: Places, place: int) -> int:
    """Return a place between one that is equal and another; the nearest one after it, if any."""
    gaps = [one + 1 for one, other in pairwise(group) if other > one + 1]
    return min(gaps, key=lambda gap: (gap < place, abs(gap - place)))


def _identical(suite: Suite) -> list[Places]:
    """Return groups of places all of whose weights are the same; all that is packed, if none is.

    What is not finite tells nothing: where some is, a part of the rest must not be frozen.
    """
    names = suite.weights or tuple(suite.contents.expected)
    digests = {name: suite.digests(name) for name in names}
    changing = {name for name, own in digests.items() if len({*own.values()}) > 1}
    same: defaultdict[tuple[tuple[str, str], ...], list[int]] = defaultdict(list)
    for place, scans in enumerate(suite.scans):
        own = [name for name in names if place in digests[name]]
        broken = any(not scans[name].finite for name in names if name in scans)
        if own and (not broken or changing.intersection(own)):
            same[tuple((name, digests[name][place]) for name in own)].append(place)
    return [tuple(group) for group in same.values() if len(group) > 1]


def _recurring(suite: Suite, whole: set[int]) -> dict[tuple[Places, Places], list[str]]:
    """Return tensors by the places at which they are equal, and those between where they differ."""
    found: defaultdict[tuple[Places, Places], list[str]] = defaultdict(list)
    for name in suite.contents.expected:
        same: defaultdict[str, list[int]] = defaultdict(list)
        places = [(p, digest) for p, digest in suite.digests(name).items() if p not in whole]
        for place, digest in places:
            same[digest].append(place)
        for digest, group in same.items():
            inner = (p for p, own in places if group[0] < p < group[-1] and own != digest)
            if between := tuple(inner):
                found[tuple(group), between].append(name)
    return {key: names for key, names in found.items() if _differing(suite, names, *key)}


def _differing(suite: Suite, names: Sequence[str], group: Places, between: Places) -> bool:
    """Return whether enough entries differ at a place between."""
    first = suite.scans[group[0]]
    for place in between:
        pairs = [(first[n].sample, suite.scans[place][n].sample) for n in names]
        if sum(int((a != b).sum()) for a, b in pairs if len(a) == len(b)) >= _ENTRIES:
            return True
    return False


def _guilty(suite: Suite, names: Sequence[str], group: Places) -> Places:
    """Return the places of a group of equal ones that are not its own; none if it is not clear.

    Places that follow each other are one: which of them is copied is not clear by itself. A step
    that has empty tensors beside these is not what it claims anyway.
    """
    if holed := tuple(p for p in group if suite.empty(p)):
        return holed if len(holed) < len(group) else ()
    others = [place for place in range(len(suite.steps)) if place not in group]
    used = set(names)
    sound = [
        n
        for n in suite.weights
        if n in used and all(suite.sound(n, place) for place in (group[0], *others))
    ]
    points = suite.points(sound, [group[0], *others])
    fits = [fit for run in _runs(group) if (fit := _fit(points, others, run)) is not None]
    if len(fits) < max(2, len(_runs(group))):
        return ()
    own = min(fits, key=lambda fit: fit.misfit)
    wrong = [fit for fit in fits if fit is not own]
    if not all(fit.clearly_worse_than(own) for fit in wrong):
        return ()
    return tuple(place for fit in wrong for place in fit.run)


def _runs(group: Places) -> list[Places]:
    """Return places that follow each other, together."""
    runs: list[list[int]] = [[group[0]]]
    for before, place in pairwise(group):
        if place > before + 1:
            runs.append([])
        runs[-1].append(place)
    return [tuple(run) for run in runs]


def _fit(points: Array, others: list[int], run: Places) -> _Fit | None:
    """Return how a tensor fits into places; None where too few others are there to tell.

    Args:
        points: The tensor, and then those of the other places.
        others: The other places.
        run: Where the tensor is held against its neighbours.
    """
    before = [row for row, place in enumerate(others, 1) if place < run[0]][::-1]
    after = [row for row, place in enumerate(others, 1) if place > run[-1]]
    if before and after:
        middle, ends = 0, (before[0], after[0])
    elif len(near := before or after) > 1:
        middle, ends = near[0], (0, near[1])
    else:
        return None
    one, point, other = (points[row].astype(np.float64) for row in (ends[0], middle, ends[1]))
    lengths = leaves(squared_distances(points))
    noise = min(lengths[middle], _NOISES * noise_of(lengths)) * points.shape[1]
    return _Fit(run, (one - point) * (other - point), noise)
