"""From tables to the scorecard: statistics, their intervals, and what tests of them decide."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from specflow.claims.claim import Claim, Inequality, all_claims
from specflow.claims.inference import holm, interval_of_mean, p_value, runs_needed, varies
from specflow.claims.measured import Bounds, Measured
from specflow.claims.scorecard import Estimate, Finding, JudgedClaim, Scorecard, Verdict
from specflow.claims.section import JudgeSettings
from specflow.frames import Tables
from specflow.section import Section

Threshold = float | Section


def judge(tables: Tables, settings: JudgeSettings) -> Scorecard:
    """Judge every claim by the tables alone.

    Raises:
        SpecflowError: If a table is missing or broken.
    """
    scorecard = {}
    for name, claim in all_claims().items():
        threshold = getattr(settings.claims.thresholds, name)
        subjects = claim.subjects.of(tables, settings)
        measured = {subject: claim.measure(tables, one) for subject, one in subjects.items()}
        scorecard[name] = JudgedClaim(
            claim=claim.text,
            statistic=claim.statistic,
            holds_when=_boundary(claim.holds, threshold),
            paper=claim.paper,
            subjects=find_all(measured, claim, threshold, settings.claims.confidence),
            absent=None if subjects else f"params.yaml lacks {claim.subjects.needs}",
        )
    return scorecard


class _Test(NamedTuple):
    """What the means say, and the probability of that by chance."""

    verdict: Verdict
    p: float


def find_all(
    measured: Mapping[str, Measured], claim: Claim, threshold: Threshold, confidence: float
) -> dict[str, Finding]:
    """Judge a claim on all its subjects: that any verdict is wrong has the probability of one.

    A verdict is by the tests of its statistics against their thresholds, at 1 - confidence after
    the adjustment for as many tests as there are subjects (Holm). With several conditions it holds
    if all do, and does not hold if one does not.

    Args:
        measured: The statistics of each subject.
        claim: On which side of the thresholds it holds, and the bounds of its statistics.
        threshold: One number, or a section of several.
        confidence: Of the intervals, in (0, 1).
    """
    limits = _limits(threshold)
    tests = {name: _test(one, claim.holds, limits) for name, one in measured.items()}
    made = {name: test for name, test in tests.items() if test is not None}
    adjusted = dict(zip(made, holm([test.p for test in made.values()]), strict=True))
    level, found = 1 - confidence, {}
    for name, one in measured.items():
        first, *others = (
            _estimate(values, confidence, bounds)
            for values, bounds in zip(one.statistics, claim.bounds, strict=True)
        )
        test, p = tests[name], adjusted.get(name)
        decided = test is not None and p is not None and p < level
        needed = None
        if test is not None and not decided:
            share = level / len(made)  # what Holm's method allows the first of them
            needed = _needed(one, claim.holds, limits, share)
        found[name] = Finding(
            **dict(first),
            num_units=int(np.isfinite(one.values).sum()),
            unit=one.unit,
            verdict=test.verdict if test is not None and decided else "undecided",
            p=None if p is None else significant(p),
            needed=needed,
            note=_note(one, test, decided, level, len(made)) or None,
            over_null=None if one.over_null is None else significant(one.over_null),
            also=dict(zip(list(limits)[1:], others, strict=True)) or None,
        )
    return found


def _limits(threshold: Threshold) -> dict[str, float]:
    """Return the numbers of a threshold by name, "" if it is one."""
    return dict(threshold) if isinstance(threshold, Section) else {"": threshold}


def _boundary(holds: Inequality, threshold: Threshold) -> str:
    limits = _limits(threshold).items()
    return " and ".join(f"{name} {holds} {limit:g}".strip() for name, limit in limits)


def _test(measured: Measured, holds: Inequality, limits: Mapping[str, float]) -> _Test | None:
    """Return on which side the means lie; None if a unit has no value or there is no variation."""
    both = list(zip(measured.statistics, limits.values(), strict=True))
    if not all(_can_be_tested(values) for values, _ in both):
        return None
    failing = _failing(measured, holds, limits)
    if not failing:
        return _Test("holds", max(p_value(values, limit) for values, limit in both))
    least = min(p_value(values, limit) for values, limit in failing)
    return _Test("does not hold", min(1.0, len(both) * least))


def _failing(
    measured: Measured, holds: Inequality, limits: Mapping[str, float]
) -> list[tuple[Sequence[float], float]]:
    """Return the statistics whose means are on the other side, each with its limit."""
    both = zip(measured.statistics, limits.values(), strict=True)
    return [
        (values, limit) for values, limit in both if (np.mean(values) > limit) != (holds == ">")
    ]


def _can_be_tested(values: Sequence[float]) -> bool:
    return len(values) > 1 and bool(np.isfinite(values).all()) and varies(values)


def _needed(
    measured: Measured, holds: Inequality, limits: Mapping[str, float], level: float
) -> int | None:
    """Return how many units would decide: show all conditions, or of those that fail the first."""
    failing = _failing(measured, holds, limits)
    if failing:
        share = level / len(limits)
        found = [runs_needed(values, limit, share) for values, limit in failing]
        return min((number for number in found if number is not None), default=None)
    both = zip(measured.statistics, limits.values(), strict=True)
    found = [runs_needed(values, limit, level) for values, limit in both]
    known = [number for number in found if number is not None]
    return max(known) if len(known) == len(found) else None


def _estimate(values: Sequence[float], confidence: float, bounds: Bounds) -> Estimate:
    """Return the mean of what is defined; an interval only if all is."""
    defined = [value for value in values if np.isfinite(value)]
    if not defined:
        return Estimate(value=None, low=None, high=None)
    value = significant(float(np.mean(defined)))
    whole = interval_of_mean(values, confidence, bounds) if len(defined) == len(values) else None
    low, high = (None, None) if whole is None else map(significant, whole)
    return Estimate(value=value, low=low, high=high)


def significant(value: float) -> float:
    """Return a number with five significant digits, and what only rounding made of 0 as 0."""
    return float(f"{round(value, 12):.5g}") + 0.0  # which makes 0 of -0


def _note(
    measured: Measured, test: _Test | None, decided: bool, level: float, num_tests: int
) -> str:
    """Return why there is no verdict, where the numbers do not say it themselves."""
    unit, count = measured.unit, int(np.isfinite(measured.values).sum())
    if measured.note:
        return measured.note
    if count < 2:
        return (
            f"one unit only ({unit}): no interval" if count else f"there are no {unit} to measure"
        )
    if test is None:
        return f"all {count} {unit} have one value, which is no certainty"
    if not decided and test.p < level:
        return f"beyond the threshold by itself, but not as one of {num_tests} subjects (Holm)"
    return ""
