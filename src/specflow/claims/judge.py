"""From tables to the scorecard: statistics, their intervals, and what these decide."""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from specflow.claims.claim import Inequality, TwoThresholds, all_claims
from specflow.claims.measured import Measured
from specflow.claims.scorecard import Estimate, Finding, JudgedClaim, Scorecard, Verdict
from specflow.claims.section import JudgeSettings
from specflow.frames import Tables


def judge(tables: Tables, settings: JudgeSettings) -> Scorecard:
    """Judge every claim by the tables alone.

    Raises:
        SpecflowError: If a table is missing or broken.
    """
    scorecard = {}
    for name, claim in all_claims().items():
        threshold = getattr(settings.claims.thresholds, name)
        subjects = {
            subject: find(
                claim.measure(tables, one), claim.holds, threshold, settings.claims.confidence
            )
            for subject, one in claim.subjects.of(tables, settings).items()
        }
        scorecard[name] = JudgedClaim(
            claim=claim.text,
            statistic=claim.statistic,
            holds_when=_boundary(claim.holds, threshold),
            subjects=subjects,
            absent=None if subjects else f"params.yaml lacks {claim.subjects.needs}",
        )
    return scorecard


def _boundary(holds: Inequality, threshold: float | TwoThresholds) -> str:
    if isinstance(threshold, TwoThresholds):
        return f"{holds} {threshold.difference:g} and score {holds} {threshold.score:g}"
    return f"{holds} {threshold:g}"


def find(
    measured: Measured, holds: Inequality, threshold: float | TwoThresholds, confidence: float
) -> Finding:
    """Judge a claim on one subject, with intervals of a confidence in (0, 1).

    With two thresholds it holds if both conditions do, and does not hold if one does not.
    """
    is_share, unit = measured.is_share, measured.unit
    first = _estimate(measured.values, is_share, confidence)
    score = None
    if isinstance(threshold, TwoThresholds):
        assert measured.score is not None, "two thresholds are those of two statistics"
        score = _estimate(measured.score, is_share, confidence)
        verdict = _both(
            verdict_of(first, holds, threshold.difference),
            verdict_of(score, holds, threshold.score),
        )
    else:
        verdict = verdict_of(first, holds, threshold)
    num_units = int(np.isfinite(measured.values).sum())
    notes = [
        measured.note or _why_no_interval(num_units, unit),
        measured.caveat if first.low is not None else "",
        _why_no_width([first, score] if score else [first], unit),
    ]
    return Finding(
        **dict(first),
        num_units=num_units,
        unit=unit,
        verdict=verdict,
        note="; ".join(filter(None, notes)) or None,
        over_null=None if measured.over_null is None else significant(measured.over_null),
        score=score,
    )


def verdict_of(estimate: Estimate, holds: Inequality, threshold: float) -> Verdict:
    """Return whether the whole interval lies on the side of the threshold where the claim holds.

    It is undecided if the interval touches the boundary, or there is none.
    """
    if estimate.low is None or estimate.high is None:
        return "undecided"
    if estimate.low > threshold:
        return "holds" if holds == ">" else "does not hold"
    if estimate.high < threshold:
        return "holds" if holds == "<" else "does not hold"
    return "undecided"


def _both(first: Verdict, second: Verdict) -> Verdict:
    if "does not hold" in (first, second):
        return "does not hold"
    return first if first == second else "undecided"


def significant(value: float) -> float:
    """Return a number with five significant digits, and what only rounding made of 0 as 0."""
    return float(f"{round(value, 12):.5g}") + 0.0  # which makes 0 of -0


def _estimate(values: Sequence[float], is_share: bool, confidence: float) -> Estimate:
    """Return the mean of what is defined; an interval only if it may be made."""
    defined = [value for value in values if np.isfinite(value)]
    if not defined:
        return Estimate(value=None, low=None, high=None)
    value = significant(float(np.mean(defined)))
    if len(defined) < 2 or (len(defined) < len(values) and not is_share):
        return Estimate(value=value, low=None, high=None)
    if is_share:
        low, high = interval_of_share(round(sum(defined)), len(defined), confidence)
    else:
        low, high = interval_of_mean(defined, confidence)
    return Estimate(value=value, low=significant(low), high=significant(high))


def interval_of_mean(values: Sequence[float], confidence: float) -> tuple[float, float]:
    """Return Student's t interval of a mean; both ends are the common value if all are equal.

    Args:
        values: Independent measurements, two or more, finite.
        confidence: Probability with which such intervals hold the true mean, in (0, 1).

    Raises:
        ValueError: If there are fewer than two values.
    """
    if len(values) < 2:
        raise ValueError(f"got {len(values)} values; expected two or more for an interval")
    mean, error = float(np.mean(values)), float(stats.sem(values))
    if error == 0:
        return mean, mean
    low, high = stats.t.interval(confidence, len(values) - 1, loc=mean, scale=error)
    return float(low), float(high)


def interval_of_share(num_true: int, num: int, confidence: float) -> tuple[float, float]:
    """Return the interval of Wilson (1927), in [0, 1], of a share of `num` cases, 1 or more."""
    found = stats.binomtest(num_true, num).proportion_ci(confidence, method="wilson")
    return float(found.low), float(found.high)


def _why_no_interval(num_units: int, unit: str) -> str:
    if num_units == 0:
        return f"there are no {unit} to measure"
    return f"one unit only ({unit}): no interval" if num_units == 1 else ""


def _why_no_width(estimates: list[Estimate], unit: str) -> str:
    if all(one.low is None or one.low != one.high for one in estimates):
        return ""
    return f"all {unit} have one value: an interval without width"
