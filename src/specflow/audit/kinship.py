"""Steps, or tensors of steps, that are unrelated to the others: of another initialization."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from specflow.audit.findings import Flag
from specflow.audit.places import Array
from specflow.audit.suite import Named, Suite

UNRELATED = 0.1
_CHANCE = 4.0  # standard deviations of the cosine of unrelated samples
_LEAST = 0.03  # unrelated weights may have a mean in common
_TOLD = 0.25  # of a sample with a limit above this, nothing is said


def unrelated(suite: Suite, places: Sequence[int], frozen: Sequence[str]) -> Named:
    """Return the steps, and tensors of steps, that are unrelated to all others.

    A step is related to another if the median over matrices of the cosine with it is `UNRELATED`
    or more; the first step, from which training may have gone far, if it is more than chance. A
    matrix by itself is only said to be foreign at a place between others where it is related.

    Args:
        suite: The steps.
        places: Those that are looked at.
        frozen: Tensors that do not change, which tell nothing.
    """
    names = [n for n in suite.weights if n not in frozen]
    matrices = [n for n in names if len(suite.contents.expected[n].shape) > 1] or names
    cosines = {name: _cosines(suite, name, places) for name in matrices}
    if not cosines:
        return Named()
    medians = _median(list(cosines.values()))
    told = np.isfinite(medians) & ~np.eye(len(places), dtype=bool)
    known: list[int] = np.flatnonzero(told.any(axis=1)).tolist()
    if not known:
        return Named()
    total = sum(map(suite.num_samples, matrices))
    limits = np.full(medians.shape, UNRELATED)
    limits[0] = limits[:, 0] = np.clip(_CHANCE / np.sqrt(total), _LEAST, UNRELATED)
    kin = _related(medians >= limits, known)
    alone = [row for row in known if row not in kin]
    foreign = _foreign(suite, cosines, kin)
    flags = [_whole(suite, places, row, medians) for row in alone]
    flags += [_single(suite, places[row], names) for row, names in foreign.items()]
    steps = frozenset(places[row] for row in alone)
    return Named(tuple(flags), steps, frozenset(n for names in foreign.values() for n in names))


def _whole(suite: Suite, places: Sequence[int], row: int, medians: Array) -> Flag:
    nearest = np.nanmax(np.delete(medians[row], row), initial=0.0)
    evidence = (
        f"median cosine with the most similar other step is {nearest:.2g}; "
        f"related steps have {UNRELATED} or more"
    )
    return suite.flag(places[row], "another_initialization", [], evidence)


def _single(suite: Suite, place: int, names: Sequence[str]) -> Flag:
    what = f"cosine with all other steps is under {UNRELATED}; those before and after are related"
    return suite.flag(place, "another_initialization", names, what)


def _foreign(suite: Suite, cosines: dict[str, Array], kin: list[int]) -> dict[int, list[str]]:
    """Return matrices by the place where they are related to none, others around it being so."""
    found: defaultdict[int, list[str]] = defaultdict(list)
    for name, own in cosines.items():
        limit = max(UNRELATED, _CHANCE / np.sqrt(suite.num_samples(name)))
        near = own >= limit
        for place, row in enumerate(kin[1:-1], start=1):
            others = [other for other in kin if other != row]
            told = limit <= _TOLD and np.isfinite(own[row, others]).sum() > 1
            around = near[np.ix_(kin[:place], kin[place + 1 :])]
            if told and around.any() and not near[row, others].any():
                found[row].append(name)
    return found


def _cosines(suite: Suite, name: str, places: Sequence[int]) -> Array:
    """Return the cosine of a matrix at every two places; NaN where it is not sound, or 0."""
    cosines = np.full((len(places), len(places)), np.nan)
    rows = [row for row, place in enumerate(places) if suite.sound(name, place)]
    if rows:
        sample = suite.samples(name, [places[row] for row in rows]).astype(np.float64)
        norms = np.linalg.norm(sample, axis=1, keepdims=True)
        units = np.divide(sample, norms, out=np.full_like(sample, np.nan), where=norms > 0)
        cosines[np.ix_(rows, rows)] = units @ units.T
    return cosines


def _median(cosines: Sequence[Array]) -> Array:
    masked = np.ma.median(np.ma.masked_invalid(np.stack(cosines)), axis=0)
    return np.ma.filled(masked.astype(np.float64), np.nan)


def _related(kin: NDArray[np.bool_], known: Sequence[int]) -> list[int]:
    """Return the largest set of steps that are related, directly or through others, ascending.

    Of two sets of one size, the one with the later last step.
    """
    for between in known:  # the closure, by Warshall's algorithm
        kin |= kin[:, [between]] & kin[between]
    sets = [np.flatnonzero(kin[row]).tolist() for row in known]
    return max(sets, key=lambda one: (len(one), one[-1]))
