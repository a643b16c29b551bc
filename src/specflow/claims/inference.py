"""Inference from a few runs: bounded intervals, tests that know of each other, runs needed."""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from specflow.claims.measured import UNBOUNDED, Bounds

_MOST_RUNS = 1000


def interval_of_mean(
    values: Sequence[float], confidence: float, bounds: Bounds = UNBOUNDED
) -> tuple[float, float] | None:
    """Return Student's t interval of a mean, within the bounds that the quantity has.

    Args:
        values: Independent measurements, finite.
        confidence: Probability with which such intervals hold the true mean, in (0, 1).
        bounds: What the quantity can be at least and at most.

    Returns:
        Both ends; None if there are fewer than two values, or all are equal, which is no
        certainty.
    """
    if len(values) < 2 or not varies(values):
        return None
    mean, error = float(np.mean(values)), float(stats.sem(values))
    ends = stats.t.interval(confidence, len(values) - 1, loc=mean, scale=error)
    low, high = np.clip(ends, *bounds)
    return float(low), float(high)


def varies(values: Sequence[float]) -> bool:
    """Return whether numbers differ by more than rounding."""
    return bool(np.ptp(values) > 1e-12 * np.abs(values).max())


def p_value(values: Sequence[float], threshold: float) -> float:
    """Return the probability of a mean as far from a threshold, were this the true one.

    Student's t test with two sides. `values`: two or more, finite, not all equal.
    """
    return float(stats.ttest_1samp(values, threshold).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values of several tests, adjusted so that all conclusions hold together.

    Step-down method of Holm (1979): that any is wrong has at most the probability at which each
    adjusted value is compared, however the tests depend on each other.
    """
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(order), 0, -1)
    adjusted = np.empty(len(order))
    adjusted[order] = np.maximum.accumulate(np.asarray(p_values)[order] * factors)
    return np.minimum(adjusted, 1.0).tolist()


def runs_needed(values: Sequence[float], threshold: float, level: float) -> int | None:
    """Return how many runs that vary as these would have a p value under a level.

    None if more than a thousand would. `values`: two or more, finite, not all equal.
    """
    distance = abs(float(np.mean(values)) - threshold) / float(np.std(values, ddof=1))
    numbers = np.arange(2, _MOST_RUNS + 1)
    enough = distance * np.sqrt(numbers) > stats.t.isf(level / 2, numbers - 1)
    return int(numbers[enough][0]) if enough.any() else None
