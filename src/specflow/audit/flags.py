"""What is wrong with the steps of checkpoints, from one pass over their weights.

A step is flagged if
    missing, extra, reshaped: it lacks a tensor that most steps have, has one that they have not,
        or has one in another shape or not in floating-point numbers;
    non_finite, zero: a matrix holds NaN or infinity, or nothing but zeros;
    quantized: a part of it is numbers of a few bits that are not read as what they stand for;
    identical: all analysed parameters are those of another step, bit by bit;
    another_initialization: it is unrelated to the other steps: the median over matrices of the
        cosine with each of them is under `UNRELATED`;
    out_of_order: the shortest path through all remaining steps has another one in its place. The
        distance of two steps is that of their sketches, each matrix relative to its median.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from specflow.audit.findings import WHOLE_STEP, Audit, Changes, Flag, FlagKind
from specflow.audit.order import best_order
from specflow.audit.scan import StepScan, scan_steps
from specflow.checkpoints.base import Checkpoints
from specflow.checkpoints.stream import Contents, contents_of, holds
from specflow.executor import Report
from specflow.scratch import Scratch
from specflow.wiring.tensors import FLOATS
from specflow.wiring.wiring import Matrix, Wiring

UNRELATED = 0.1

Square = NDArray[np.float64]


def audit_checkpoints(
    checkpoints: Checkpoints, wiring: Wiring, scratch: Scratch, report: Report, workers: int
) -> Audit:
    """Return what the weights say of the steps that they are claimed to be from.

    Args:
        checkpoints: The steps.
        wiring: The matrices that are analysed.
        scratch: Where finished steps are kept; the caller locks it, and removes it in the end.
        report: Called with 1 after each step.
        workers: Threads, one matrix each.

    Raises:
        SpecflowError: If a file is broken or a partial result cannot be kept.
    """
    contents, steps = contents_of(checkpoints), [step.number for step in checkpoints.steps]
    scans = scan_steps(checkpoints, wiring.matrices, scratch, report, workers)
    flags = [
        *_structure(steps, contents),
        *_values(steps, wiring.matrices, scans),
        *_steps(steps, scans),
    ]
    return Audit(
        steps=tuple(steps),
        flags=tuple(sorted(flags, key=lambda flag: flag.step)),
        skipped={**wiring.skipped, **contents.unreadable},
        notes=wiring.notes,
        changes=_changes(wiring.matrices, scans),
    )


def _structure(steps: Sequence[int], contents: Contents) -> Iterator[Flag]:
    expected = contents.expected
    for step, part in zip(steps, contents.quantized, strict=True):
        if part is not None:
            yield _flag(step, WHOLE_STEP, "quantized", part)
    for step, infos in zip(steps, contents.infos, strict=True):
        for name, info in expected.items():
            usual = f"{_shape(info.shape)} in most steps"
            if name not in infos:
                yield _flag(step, name, "missing", f"{usual}, absent here")
            elif infos[name].shape != info.shape:
                yield _flag(step, name, "reshaped", f"{_shape(infos[name].shape)}; {usual}")
            elif not holds(infos, name, info.shape) and info.dtype in FLOATS:
                evidence = f"dtype {infos[name].dtype}; {info.dtype} in other steps"
                yield _flag(step, name, "reshaped", evidence.replace("torch.", ""))
        for name, info in infos.items():
            if name not in expected:
                evidence = f"{_shape(info.shape)} here, absent in most steps"
                yield _flag(step, name, "extra", evidence)


def _flag(step: int, matrix: str, flag: FlagKind, evidence: str) -> Flag:
    return Flag(step=step, matrix=matrix, flag=flag, evidence=evidence)


def _shape(shape: Sequence[int]) -> str:
    return f"shape {tuple(shape)}"


def _values(
    steps: Sequence[int], matrices: Sequence[Matrix], scans: Sequence[StepScan]
) -> Iterator[Flag]:
    for step, scan in zip(steps, scans, strict=True):
        for place, matrix in enumerate(matrices):
            if not scan.there[place]:
                continue
            size = f"{matrix.view.rows} x {matrix.view.columns} entries"
            if not scan.finite[place]:
                yield _flag(step, matrix.name, "non_finite", f"NaN or infinity among {size}")
            elif scan.square[place] == 0:
                yield _flag(step, matrix.name, "zero", f"all of {size} are 0")


def _steps(steps: Sequence[int], scans: Sequence[StepScan]) -> Iterator[Flag]:
    """Yield the flags of whole steps; each step has at most one of them."""
    same = _identical(scans)
    for place, others in same.items():
        evidence = "every parameter is that of step " + " and ".join(str(steps[o]) for o in others)
        yield _flag(steps[place], WHOLE_STEP, "identical", evidence)
    rest = _comparable(scans, [place for place in range(len(steps)) if place not in same])
    if not rest:
        return
    cosines = _median_cosines([scans[place] for place in rest])
    kin = _related(cosines)
    for row, place in enumerate(rest):
        if row not in kin:
            nearest = np.nanmax(np.delete(cosines[row], row), initial=0.0)
            evidence = (
                f"median cosine with the most similar other step is {nearest:.2g}; "
                f"related steps have {UNRELATED} or more"
            )
            yield _flag(steps[place], WHOLE_STEP, "another_initialization", evidence)
    yield from _misplaced([scans[rest[row]] for row in kin], [steps[rest[row]] for row in kin])


def _sound(scan: StepScan) -> NDArray[np.bool_]:
    return scan.finite & (scan.square > 0)


def _comparable(scans: Sequence[StepScan], places: Sequence[int]) -> list[int]:
    """Return steps that have a sound matrix in common; others, flagged already, are left out."""
    left = list(places)
    while left and not np.all([_sound(scans[place]) for place in left], axis=0).any():
        left.remove(min(left, key=lambda place: int(_sound(scans[place]).sum())))
    return left


def _misplaced(scans: Sequence[StepScan], steps: Sequence[int]) -> Iterator[Flag]:
    distances = _distances(scans)
    for place, point in enumerate(best_order(distances)):
        if point == place:
            continue
        # `place` on the path is that of the weights which claim to be from the step `point`
        neighbours = [other for other in (point - 1, point + 1) if 0 <= other < len(steps)]
        far = [other for other in range(len(steps)) if abs(other - point) > 1]
        nearest = min(far or neighbours, key=lambda other: distances[point, other])
        claimed = " and ".join(f"{steps[n]} ({distances[point, n]:.3g})" for n in neighbours)
        evidence = (
            f"fits in the place of step {steps[place]}; distance to step {steps[nearest]} "
            f"is {distances[point, nearest]:.3g}, to its neighbours {claimed}"
        )
        yield _flag(steps[point], WHOLE_STEP, "out_of_order", evidence)


def _identical(scans: Sequence[StepScan]) -> dict[int, list[int]]:
    """Return, for every step that has an identical one, which these are."""
    same: dict[str, list[int]] = {}
    for place, scan in enumerate(scans):
        if scan.there.any():
            same.setdefault(scan.content, []).append(place)
    groups = [group for group in same.values() if len(group) > 1]
    return {place: [o for o in group if o != place] for group in groups for place in group}


def _median_cosines(scans: Sequence[StepScan]) -> Square:
    """Return the cosine of the sketches of every two steps, the median over matrices.

    Shape (T, T) for T steps; NaN where two have no matrix in common.
    """
    sketches = np.stack([scan.sketch for scan in scans], axis=1)
    norms = np.linalg.norm(sketches, axis=2, keepdims=True)
    units = np.divide(sketches, norms, out=np.full_like(sketches, np.nan), where=norms > 0)
    cosines = np.ma.masked_invalid(units @ units.transpose(0, 2, 1))
    return np.ma.filled(np.ma.median(cosines, axis=0).astype(np.float64), np.nan)


def _related(cosines: Square) -> list[int]:
    """Return the largest set of steps that are related, directly or through others, ascending.

    Of two sets of one size, the one with the later last step.
    """
    kin = cosines >= UNRELATED
    for between in range(len(kin)):  # the closure, by Warshall's algorithm
        kin |= kin[:, [between]] & kin[between]
    sets = [np.flatnonzero(row).tolist() for row in kin]
    return max(sets, key=lambda one: (len(one), one[-1]))


def _distances(scans: Sequence[StepScan]) -> Square:
    """Return the distance of every two steps, shape (T, T), 0 if nothing changes.

    The root of the mean over matrices of squared distances, each over its median over pairs of
    steps. Matrices that do not change are left out, and those that are absent, not finite or all
    zero in any step.
    """
    total, count = np.zeros((len(scans), len(scans))), 0
    pairs = np.triu_indices(len(scans), 1)
    sound = np.all([_sound(scan) for scan in scans], axis=0)
    for place in np.flatnonzero(sound):
        sketch = np.stack([scan.sketch[place] for scan in scans])
        products = sketch @ sketch.T
        norms = np.diag(products)
        squares = np.clip(norms[:, None] + norms - 2 * products, 0, None)
        scale = float(np.median(squares[pairs])) if len(scans) > 1 else 0.0
        if scale > 0:
            total += squares / scale
            count += 1
    return np.sqrt(total / max(count, 1))


def _changes(matrices: Sequence[Matrix], scans: Sequence[StepScan]) -> dict[str, Changes]:
    square, change, product = (
        np.stack([getattr(scan, name) for scan in scans])
        for name in ("square", "change", "product")
    )
    before = np.vstack([np.full_like(square[:1], np.nan), square[:-1]])
    with np.errstate(divide="ignore", invalid="ignore"):
        relative, cosine = np.sqrt(change / before), product / np.sqrt(square * before)
    return {
        matrix.name: Changes(
            relative_change=_defined(relative[:, place]), cosine=_defined(cosine[:, place])
        )
        for place, matrix in enumerate(matrices)
    }


def _defined(values: Square) -> tuple[float | None, ...]:
    return tuple(float(f"{v:.6g}") if np.isfinite(v) else None for v in values.tolist())
