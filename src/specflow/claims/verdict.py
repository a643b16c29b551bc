"""From a measured statistic to an estimate and a verdict."""

import numpy as np

from specflow.claims.claim import Inequality, TwoThresholds
from specflow.claims.interval import interval_of_mean, interval_of_share
from specflow.claims.measured import Measured
from specflow.claims.scorecard import Estimate, Finding, Verdict


def find(
    measured: Measured, holds: Inequality, threshold: float | TwoThresholds, confidence: float
) -> Finding:
    """Judge a claim on one subject.

    Args:
        measured: The statistic of every unit.
        holds: On which side of the threshold the claim holds.
        threshold: The boundary; of a claim with two conditions, both.
        confidence: Of the intervals, in (0, 1).

    Returns:
        Value, interval and verdict. The claim holds if every condition does, and does not hold if
        one does not.
    """
    defined = [value for value in measured.values if np.isfinite(value)]
    estimate = _estimate(measured.values, measured.is_share, confidence)
    boundary = threshold.difference if isinstance(threshold, TwoThresholds) else threshold
    verdicts = [verdict_of(estimate, holds, boundary)]
    estimates, optional = [estimate], dict[str, object]()
    if measured.score is not None and isinstance(threshold, TwoThresholds):
        score = _estimate(measured.score, measured.is_share, confidence)
        verdicts.append(verdict_of(score, holds, threshold.score))
        estimates.append(score)
        optional["score"] = score
    notes = [
        measured.note or _why_no_interval(len(defined), measured.unit),
        measured.caveat if estimate.low is not None else "",
        _why_no_width(estimates, measured.unit),
    ]
    if any(notes):
        optional["note"] = "; ".join(filter(None, notes))
    if measured.over_null is not None:
        optional["over_null"] = significant(measured.over_null)
    return Finding.model_validate(
        dict(estimate)
        | {"num_units": len(defined), "unit": measured.unit, "verdict": _all_of(verdicts)}
        | optional
    )


def verdict_of(estimate: Estimate, holds: Inequality, threshold: float) -> Verdict:
    """Return on which side of a threshold an interval lies.

    Args:
        estimate: With an interval, or without one where it is not defined.
        holds: On which side the claim holds.
        threshold: The boundary.

    Returns:
        "holds" or "does not hold" if the whole interval lies on one side, else "undecided", as an
        interval is that touches the boundary.
    """
    if estimate.low is None or estimate.high is None:
        return "undecided"
    if estimate.low > threshold:
        return "holds" if holds == ">" else "does not hold"
    if estimate.high < threshold:
        return "holds" if holds == "<" else "does not hold"
    return "undecided"


def significant(value: float) -> float:
    """Return a number with five significant digits, and what only rounding made of 0 as 0."""
    return float(f"{round(value, 12):.5g}") + 0.0  # which makes 0 of -0


def _estimate(values: tuple[float, ...], is_share: bool, confidence: float) -> Estimate:
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


def _why_no_interval(num_units: int, unit: str) -> str:
    if num_units == 0:
        return f"there are no {unit} to measure"
    return f"one unit only ({unit}): no interval" if num_units == 1 else ""


def _why_no_width(estimates: list[Estimate], unit: str) -> str:
    if all(one.low is None or one.low != one.high for one in estimates):
        return ""
    return f"all {unit} have one value: an interval without width"


def _all_of(verdicts: list[Verdict]) -> Verdict:
    if "does not hold" in verdicts:
        return "does not hold"
    return "holds" if set(verdicts) == {"holds"} else "undecided"
