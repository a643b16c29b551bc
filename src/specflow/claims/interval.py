"""Confidence intervals and rank correlation."""

from collections.abc import Sequence

import numpy as np

from specflow.claims.measured import UndefinedError

Interval = tuple[float, float]
_LEAST_POINTS = 3  # two points always have a rank correlation of 1 or -1


def interval_of_mean(values: Sequence[float], confidence: float) -> Interval:
    """Return Student's t interval of a mean.

    Args:
        values: Independent measurements, two or more, finite.
        confidence: Probability with which such intervals hold the true mean, in (0, 1).

    Returns:
        Lower and upper end; both the common value if all are equal.

    Raises:
        ValueError: If there are fewer than two values.
    """
    if len(values) < 2:
        raise ValueError(f"got {len(values)} values; expected two or more for an interval")
    from scipy import stats  # takes long to import, and checking params.yaml imports this file

    mean, error = float(np.mean(values)), float(stats.sem(values))
    if error == 0:
        return mean, mean
    low, high = stats.t.interval(confidence, len(values) - 1, loc=mean, scale=error)
    return float(low), float(high)


def interval_of_share(num_true: int, num: int, confidence: float) -> Interval:
    """Return the interval of Wilson (1927) of a share.

    Args:
        num_true: How many of the cases are so.
        num: How many cases there are, 1 or more.
        confidence: Probability with which such intervals hold the true share, in (0, 1).

    Returns:
        Lower and upper end, in [0, 1].
    """
    from scipy import stats

    found = stats.binomtest(num_true, num).proportion_ci(confidence, method="wilson")
    return float(found.low), float(found.high)


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the rank correlation of Spearman (1904), ties at their mean rank.

    Args:
        first: Numbers, shape (n,), finite.
        second: Their partners, shape (n,), finite.

    Returns:
        Value in [-1, 1].

    Raises:
        UndefinedError: If there are fewer than three points, or one side is constant.
    """
    from scipy import stats

    if len(first) < _LEAST_POINTS:
        raise UndefinedError(f"{len(first)} points are too few for a rank correlation")
    if len(set(first)) == 1 or len(set(second)) == 1:
        raise UndefinedError("a constant has no rank correlation")
    return float(stats.spearmanr(first, second).statistic)
