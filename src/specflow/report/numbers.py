"""Numbers as a reader wants them: no more digits than their uncertainty leaves."""

import json
import math
from typing import Any

import pandas as pd

from specflow.claims.scorecard import Estimate

MINUS = "\N{MINUS SIGN}"
UNDEFINED = "\N{EM DASH}"
_ROUNDING = 1e-12  # of a sum, over it
_MOST_DECIMALS = 5  # a number that needs more is written with an exponent


def number(value: float | None, uncertainty: float = 0.0) -> str:
    """Return a number with a true minus sign; a dash if it is None or NaN.

    It is told to the second digit of its uncertainty, or in three significant digits if that is 0
    for unknown.
    """
    if value is None or pd.isna(value):
        return UNDEFINED
    decimals = 1 - math.floor(math.log10(uncertainty)) if uncertainty > 0 else math.inf
    if decimals > _MOST_DECIMALS:
        text = f"{value:.3g}"
    else:
        decimals = max(0, int(decimals))
        text = f"{round(value, decimals) + 0.0:.{decimals}f}"  # adding 0 leaves no minus of zero
    return text.replace("-", MINUS)


def value_of(estimate: Estimate) -> str:
    """Return an estimate, to the digits of its interval."""
    return number(estimate.value, _width(estimate))


def interval_of(estimate: Estimate) -> str:
    """Return the interval of an estimate; a dash if it has none."""
    if estimate.low is None or estimate.high is None:
        return UNDEFINED
    low, high = (number(end, _width(estimate)) for end in (estimate.low, estimate.high))
    return f"[{low}, {high}]"


def spread(mean: float | None, std: float | None) -> str:
    """Return mean and standard deviation; a dash if the quantity is not always defined.

    A deviation that is but rounding of equal numbers is 0.
    """
    if mean is None or std is None:
        return UNDEFINED
    if std < _ROUNDING * abs(mean):
        std = 0.0
    return f"{number(mean, std)} ± {number(std, std)}"


def parameter(value: Any) -> str:
    """Return a leaf of the config as params.yaml would write it: exact, lists with commas."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(parameter(item) for item in value) or "none"
    return "none" if value is None else json.dumps(value)


def _width(estimate: Estimate) -> float:
    if estimate.low is None or estimate.high is None:
        return 0.0
    return estimate.high - estimate.low
