"""Steps, or tensors of steps, that are unrelated to the others: of another initialization.

That two steps are unrelated is no evidence by itself: weights that go far, or decay, forget what
they were. So a step is said to be foreign where an honest training that is otherwise seen would
have left it related: steps around it are related to each other, or, of the last steps, those
before change so slowly that they cannot have turned over within the one interval to it. Else it is
told that it is unrelated, and that weights do not tell why. Of the first steps no more is ever
told: a training may forget its start within one interval, and keep what it learns from then on.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import NDArray

from specflow.audit.findings import Flag
from specflow.audit.places import Array
from specflow.audit.suite import Named, Suite
from specflow.errors import some_of

UNRELATED = 0.1
_CHANCE = 4.0  # standard deviations of the cosine of unrelated samples
_LEAST = 0.03  # unrelated weights may have a mean in common
_TOLD = 0.25  # of a sample with a limit above this, nothing is said
_CONTRAST = 3.0  # times the cosine of a step that a related one would have, at least
_FASTER = 10.0  # times as fast as beside it a training may go on, as after a restart


@dataclass(frozen=True)
class _Likeness:
    """How much alike steps are, over all matrices.

    Attributes:
        cosines: The median over matrices of the cosine of every two steps, shape (T, T).
        norms: Of every matrix at every step, shape (M, T); NaN where it is not sound, or 0.
        steps: Their numbers, ascending.
        gaps: From the step before, of all there are; infinite at the first.
    """

    cosines: Array
    norms: Array
    steps: Sequence[int]
    gaps: Sequence[float]

    def nearest(self, rows: Sequence[int], kin: Sequence[int]) -> float:
        """Return the largest cosine of some steps with some others; 0 if none is known."""
        return float(np.nanmax(self.cosines[np.ix_(rows, kin)], initial=0.0))

    def across(self, run: Sequence[int], kin: Sequence[int]) -> float:
        """Return how much alike steps before and after a run are, that of those that are most."""
        before, after = [k for k in kin if k < run[0]], [k for k in kin if k > run[-1]]
        return self.nearest(before, after) if before and after else 0.0

    def expected_at_end(self, run: Sequence[int], seen: Sequence[int]) -> float:
        """Return the least cosine of the last steps if they are of the training seen before them.

        Weights of which each part is forgotten at a rate of its own, by noise, or not at all, as
        what is learned, have after a time t a cosine of c^(t / s) or more if it is c after s <= t.
        So neighbours count, and the least of them: over longer times the part that stays would
        pass for slow change. Weights that grow, x + e with any e that is independent of x, have
        ||x|| / ||x + e||. Where numbers go on by 1, steps may be counted, and gaps be no times.
        """
        if self.gaps[run[0]] == 1:
            return 0.0
        gap = self.steps[run[0]] - self.steps[seen[-1]]
        left = [0.0] if len(seen) < 2 else []
        for before, after in pairwise(seen):
            faster = _FASTER if after == seen[-1] else 1.0
            intervals = max(1.0, faster * gap / (self.steps[after] - self.steps[before]))
            cosine = np.clip(np.nan_to_num(self.cosines[before, after]), 0, 1)
            left.append(float(cosine**intervals))
        return min(left) * min(1.0, self._growth(seen[-1], run[0]))

    def _growth(self, before: int, after: int) -> float:
        """Return the median over matrices of the norm at one step over that at another, or 0."""
        ratios = self.norms[:, before] / self.norms[:, after]
        known = ratios[np.isfinite(ratios)]
        return float(np.median(known)) if known.size else 0.0


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
    norms = np.stack([_norms(suite, name, places) for name in matrices])
    gaps = np.diff(suite.steps, prepend=-np.inf)[places].tolist()
    like = _Likeness(medians, norms, [suite.steps[place] for place in places], gaps)
    alone, untold = _told_apart(like, known, kin)
    foreign = _foreign(suite, cosines, kin)
    flags = [_whole(suite, places, row, medians, why) for row, why in alone.items()]
    flags += [_single(suite, places[row], names) for row, names in foreign.items()]
    steps = frozenset(places[row] for row in (*alone, *untold))
    tensors = frozenset(n for names in foreign.values() for n in names)
    first = f"{limits[0, 0]:.2g} with step {suite.steps[places[0]]}"
    doubts = _doubts([str(suite.steps[places[row]]) for row in untold], first)
    return Named(tuple(flags), steps, tensors, tuple(doubts))


def _told_apart(
    like: _Likeness, known: Sequence[int], kin: Sequence[int]
) -> tuple[dict[int, str], list[int]]:
    """Return what shows which steps that are not kin to be foreign, and of which nothing does."""
    foreign: dict[int, str] = {}
    untold: list[int] = []
    most = 2 * len(kin) > len(known)  # else it is as well the others that are foreign
    for is_kin, group in groupby(known, key=lambda row: row in kin):
        if is_kin:
            continue
        run = list(group)
        honest, why = 0.0, ""
        if kin[0] < run[0] and run[-1] < kin[-1]:
            honest = like.across(run, kin)
            why = f"steps before and after it have {honest:.2g} with each other"
        elif kin[-1] < run[0] and most:
            seen = [row for row in known if 0 < row < run[0] and row not in foreign]
            honest = like.expected_at_end(run, seen)
            why = (
                f"by how steps before it change it would be {honest:.2g} or more, even if training "
                f"went on {_FASTER:g} times as fast as last, or as fast as ever"
            )
        if honest >= max(UNRELATED, _CONTRAST * like.nearest(run, kin)):
            foreign |= dict.fromkeys(run, why)
        else:
            untold += run
    return foreign, untold


def _doubts(untold: Sequence[str], first: str) -> Iterator[str]:
    if untold:
        yield (
            f"Unrelated to the others (cosine under {UNRELATED}, {first}): step {some_of(untold)}. "
            "It cannot be told whether they are of another initialization: those of a training "
            "whose weights turn over between its steps look the same."
        )


def _whole(suite: Suite, places: Sequence[int], row: int, medians: Array, why: str) -> Flag:
    nearest = np.nanmax(np.delete(medians[row], row), initial=0.0)
    evidence = f"median cosine with the most similar other step is {nearest:.2g}; {why}"
    return suite.flag(places[row], "another_initialization", [], evidence)


def _single(suite: Suite, place: int, names: Sequence[str]) -> Flag:
    limit = max(_limit(suite, name) for name in names)
    what = f"cosine with all other steps is under {limit:.2g}; those before and after are related"
    return suite.flag(place, "another_initialization", names, what)


def _limit(suite: Suite, name: str) -> float:
    """Return the cosine under which a matrix by itself is unrelated."""
    return max(UNRELATED, _CHANCE / float(np.sqrt(suite.num_samples(name))))


def _foreign(suite: Suite, cosines: dict[str, Array], kin: list[int]) -> dict[int, list[str]]:
    """Return matrices by the place where they are related to none, others around it being so."""
    found: defaultdict[int, list[str]] = defaultdict(list)
    for name, own in cosines.items():
        limit = _limit(suite, name)
        for place, row in enumerate(kin[1:-1], start=1):
            others = [other for other in kin if other != row]
            told = limit <= _TOLD and np.isfinite(own[row, others]).sum() > 1
            around = np.nanmax(own[np.ix_(kin[:place], kin[place + 1 :])], initial=0.0)
            nearest = float(np.nanmax(own[row, others], initial=0.0))
            if told and nearest < limit and around >= max(limit, _CONTRAST * nearest):
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


def _norms(suite: Suite, name: str, places: Sequence[int]) -> Array:
    """Return the norm of a matrix at every place; NaN where it is not sound, or 0."""
    norms = np.full(len(places), np.nan)
    for row, place in enumerate(places):
        if suite.sound(name, place):
            norms[row] = np.linalg.norm(suite.scans[place][name].sample.astype(np.float64))
    norms[norms == 0] = np.nan
    return norms


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
