"""What is wrong with the steps of checkpoints, from one pass over all their tensors.

A step is flagged if
    missing, extra, reshaped: it lacks a tensor that most steps have, has one that they have not,
        or has one in another shape or not in floating-point numbers;
    empty, non_finite, zero: a tensor has no entries, holds NaN or infinity, or a weight matrix is
        nothing but zeros and was not so before;
    quantized: a part of it is numbers of a few bits that are not read as what they stand for;
    identical: all weights are those of another step, bit by bit;
    of_another_step: some tensors are, though they differ at a step between;
    altered: some differ, though they are equal at the many steps before and after;
    another_initialization: it, or some of its matrices, are unrelated to the other steps;
    out_of_order: it, or some of its tensors, clearly belong in the place of another step.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from specflow.audit.copies import copies_of
from specflow.audit.findings import Audit, Changes, Flag
from specflow.audit.kinship import unrelated
from specflow.audit.places import FEWEST, Array, Order, order_of, shows_exchanges, squared_distances
from specflow.audit.scan import StepScan, scan_steps
from specflow.audit.suite import Suite
from specflow.audit.values import always_zero, structure_flags, value_flags
from specflow.checkpoints.base import Checkpoints
from specflow.checkpoints.stream import contents_of
from specflow.errors import some_of
from specflow.executor import Report
from specflow.scratch import Scratch
from specflow.wiring.coverage import how_read
from specflow.wiring.wiring import Wiring

_AGREE = 3  # tensors that must have one order by themselves, if all together have another
_ENOUGH = 256  # sampled entries of each of them


def audit_checkpoints(
    checkpoints: Checkpoints, wiring: Wiring, scratch: Scratch, report: Report, workers: int
) -> Audit:
    """Return what the weights say of the steps that they are claimed to be from.

    Args:
        checkpoints: The steps.
        wiring: The matrices that are analysed, if there are any.
        scratch: Where finished steps are kept; the caller locks it, and removes it in the end.
        report: Called with 1 after each step.
        workers: Threads, one tensor each.

    Raises:
        SpecflowError: If a file is broken or a partial result cannot be kept.
    """
    contents = contents_of(checkpoints)
    scans = scan_steps(checkpoints, len(contents.expected), scratch, report, workers)
    suite = Suite([step.number for step in checkpoints.steps], contents, scans)
    frozen, copies = _frozen(suite), copies_of(suite)
    kin = unrelated(suite, _without(suite, copies.steps), frozen)
    rest = _without(suite, copies.steps | kin.steps)
    foreign = {*frozen, *copies.tensors, *kin.tensors}
    telling = [name for name in suite.weights if name not in foreign]
    misplaced, doubts = _misplaced(suite, rest, telling)
    points = _points_of_all(suite, telling)
    of_one_run = not (kin.flags or kin.doubts) and bool(points.any())
    flags = [*structure_flags(suite), *value_flags(suite), *copies.flags, *kin.flags, *misplaced]
    return Audit(
        steps=tuple(suite.steps),
        tensors=len({name for scan in scans for name in scan}),
        flags=tuple(sorted(flags, key=lambda flag: flag.step)),
        frozen=tuple(frozen),
        skipped={**wiring.skipped, **contents.unreadable},
        notes=(*wiring.notes, *_notes(suite, frozen), *kin.doubts, *doubts),
        analysed=(*wiring.analysed, *how_read(contents.composed, contents.unreadable)),
        changes=_changes(wiring, scans),
        of_one_run=of_one_run,
        in_order=of_one_run and not (misplaced or doubts) and shows_exchanges(points),
    )


def _frozen(suite: Suite) -> list[str]:
    found = {name: suite.digests(name) for name in suite.weights}
    every = len(suite.steps)
    return [n for n, own in found.items() if 1 < every == len(own) and len({*own.values()}) == 1]


def _without(suite: Suite, left_out: frozenset[int]) -> list[int]:
    return [place for place in range(len(suite.steps)) if place not in left_out]


def _points_of_all(suite: Suite, names: Sequence[str]) -> Array:
    """Return what all steps are compared by, a row a step; all 0 if they have nothing in common."""
    every = _without(suite, frozenset())
    places, names = _comparable(suite, every, names)
    points = suite.points(names, places)
    is_common = len(places) == len(every) > 1 and points.shape[1]
    return points if is_common else np.zeros((len(every), 1))


def _misplaced(
    suite: Suite, places: list[int], names: Sequence[str]
) -> tuple[list[Flag], list[str]]:
    """Return the flags of steps that belong in the place of others, and what cannot be told."""
    if len(places) < FEWEST:
        return [], []
    places, names = _comparable(suite, places, names)
    points = suite.points(names, places)
    if not points.shape[1]:
        return [], []
    order = order_of(points)
    if order.doubtful:
        exchanged, or_else = (
            suite.called(places[row] for row in rows) for rows in (order.exchanged, order.doubtful)
        )
        return [], [f"Steps are not in order: either {exchanged} are exchanged, or {or_else}."]
    flags = list(_out_of_order(suite, places, [], points, order))
    return flags or list(_misplaced_tensors(suite, places, names)), []


def _misplaced_tensors(suite: Suite, places: Sequence[int], names: Sequence[str]) -> Iterator[Flag]:
    """Yield the flags of tensors that are, several in one way, in the place of others."""
    found: defaultdict[tuple[int, ...], list[str]] = defaultdict(list)
    for name in names:
        if suite.num_samples(name) >= _ENOUGH:
            found[order_of(suite.points([name], places)).path].append(name)
    for path, own in found.items():
        points = suite.points(own, places)
        if len(own) >= _AGREE and (order := order_of(points)).path == path:
            yield from _out_of_order(suite, places, own, points, order)


def _comparable(
    suite: Suite, places: list[int], names: Sequence[str]
) -> tuple[list[int], list[str]]:
    """Return steps that have sound tensors in common, and these; others are flagged already."""
    sound = {place: {name for name in names if suite.sound(name, place)} for place in places}
    while sound and not set.intersection(*sound.values()):
        del sound[min(sound, key=lambda place: len(sound[place]))]
    common = set.intersection(*sound.values()) if sound else set()
    return list(sound), [name for name in names if name in common]


def _out_of_order(
    suite: Suite, places: Sequence[int], names: Sequence[str], points: np.ndarray, order: Order
) -> Iterator[Flag]:
    distances = np.sqrt(squared_distances(points))
    for row, point in enumerate(order.path):
        if point == row:
            continue
        # `row` is the place of the weights which claim to be from the step `point`
        neighbours = [other for other in (point - 1, point + 1) if 0 <= other < len(places)]
        far = [other for other in range(len(places)) if abs(other - point) > 1]
        nearest = min(far or neighbours, key=lambda other: distances[point, other])
        steps = [suite.steps[place] for place in places]
        claimed = " and ".join(f"{steps[n]} ({distances[point, n]:.3g})" for n in neighbours)
        evidence = (
            f"fits in the place of step {steps[row]}; distance to step {steps[nearest]} "
            f"is {distances[point, nearest]:.3g}, to its neighbours {claimed}"
        )
        yield suite.flag(places[point], "out_of_order", names, evidence)


def _notes(suite: Suite, frozen: Sequence[str]) -> Iterator[str]:
    if frozen:
        yield f"{len(frozen)} tensors are the same at all steps (frozen): {some_of(frozen, 3)}"
    if zero := always_zero(suite):
        yield f"{len(zero)} weight matrices are 0 at every step: {some_of(zero, 3)}"


def _changes(wiring: Wiring, scans: Sequence[StepScan]) -> dict[str, Changes]:
    tensors = {matrix.view.tensor for matrix in wiring.matrices}
    found = {name: _changes_of(name, scans) for name in tensors}
    return {matrix.name: found[matrix.view.tensor] for matrix in wiring.matrices}


def _changes_of(name: str, scans: Sequence[StepScan]) -> Changes:
    relative: list[float | None] = []
    cosine: list[float | None] = []
    before: np.ndarray | None = None
    for scan in scans:
        now = _numbers(name, scan)
        pair = np.nan, np.nan
        if before is not None and now is not None and len(before) == len(now):
            pair = _change(before, now)
        for values, value in zip((relative, cosine), pair, strict=True):
            values.append(float(f"{value:.6g}") if np.isfinite(value) else None)
        before = now
    return Changes(relative_change=tuple(relative), cosine=tuple(cosine))


def _numbers(name: str, scan: StepScan) -> np.ndarray | None:
    return scan[name].sample.astype(np.float64) if name in scan and scan[name].finite else None


def _change(before: np.ndarray, now: np.ndarray) -> tuple[float, float]:
    with np.errstate(divide="ignore", invalid="ignore"):
        norms = np.linalg.norm(before), np.linalg.norm(now)
        relative = np.divide(np.linalg.norm(now - before), norms[0])
        return relative, np.divide(before @ now, norms[0] * norms[1])
