"""What is found of a statistic: its interval, the verdict, and why there is none."""

import math

import numpy as np
import pytest

from specflow.claims.claim import TwoThresholds
from specflow.claims.judge import (
    find,
    interval_of_mean,
    interval_of_share,
    significant,
    verdict_of,
)
from specflow.claims.measured import Measured, UndefinedError, over_units, rank_correlation
from specflow.claims.scorecard import Estimate


def test_interval_of_a_mean_is_students():
    values = [1.0, 2.0, 4.0]
    half = 4.302653 * np.std(values, ddof=1) / np.sqrt(3)  # t of 2 degrees of freedom, 0.975
    expected = (np.mean(values) - half, np.mean(values) + half)
    assert interval_of_mean(values, 0.95) == pytest.approx(expected)
    assert interval_of_mean([0.3, 0.3, 0.3], 0.95) == (0.3, 0.3)


def test_one_value_has_no_interval():
    with pytest.raises(ValueError, match="got 1 values; expected two or more"):
        interval_of_mean([1.0], 0.95)


@pytest.mark.parametrize(("num_true", "num"), [(8, 10), (10, 10), (0, 3)])
def test_interval_of_a_share_is_wilsons(num_true, num):
    z, share = 1.959964, num_true / num
    center = (share + z**2 / (2 * num)) / (1 + z**2 / num)
    half = z / (1 + z**2 / num) * np.sqrt(share * (1 - share) / num + z**2 / (4 * num**2))
    expected = (center - half, center + half)
    assert interval_of_share(num_true, num, 0.95) == pytest.approx(expected, abs=1e-6)


def test_rank_correlation_sees_order_alone():
    assert rank_correlation([1, 2, 3, 4], [1, 10, 100, 1000]) == pytest.approx(1)
    assert rank_correlation([1, 2, 3, 4], [4, 3, 1, 2]) == pytest.approx(-0.8)


def test_rank_correlation_needs_three_points_and_no_constant():
    with pytest.raises(UndefinedError, match="2 points are too few"):
        rank_correlation([1, 2], [1, 2])
    with pytest.raises(UndefinedError, match="a constant has no rank correlation"):
        rank_correlation([1, 2, 3], [5, 5, 5])


def test_reasons_are_given_once_with_all_units():
    def statistic(number):
        if number > 1:
            raise UndefinedError("too large")
        return number

    measured = over_units("numbers", "number", [1, 2, 3], statistic)
    assert measured.values[0] == 1
    assert measured.note == "too large (number 2, number 3)"


@pytest.mark.parametrize(
    ("low", "high", "above", "below"),
    [
        (0.6, 0.7, "holds", "does not hold"),
        (0.3, 0.4, "does not hold", "holds"),
        (0.4, 0.6, "undecided", "undecided"),
        (0.5, 0.5, "undecided", "undecided"),
        (0.5, 0.6, "undecided", "undecided"),
        (None, None, "undecided", "undecided"),
    ],
)
def test_verdict_is_by_the_side_on_which_the_whole_interval_lies(low, high, above, below):
    estimate = Estimate(value=0.5, low=low, high=high)
    assert verdict_of(estimate, ">", 0.5) == above
    assert verdict_of(estimate, "<", 0.5) == below


def seeds(*values, **about):
    return Measured("seeds", values, **about)


ONE_VALUE = "all seeds have one value: an interval without width"


@pytest.mark.parametrize(
    ("measured", "value", "num_units", "has_interval", "verdict", "note"),
    [
        (seeds(), None, 0, False, "undecided", "there are no seeds to measure"),
        (seeds(0.7), 0.7, 1, False, "undecided", "one unit only (seeds): no interval"),
        (seeds(0.7, 0.7, 0.71), 0.70333, 3, True, "holds", None),
        (seeds(1.0, 1.0, 1.0), 1, 3, True, "holds", ONE_VALUE),
        (seeds(0.5 + 2e-16, 0.5), 0.5, 2, True, "undecided", ONE_VALUE),
        (
            seeds(1.0, 2.0, math.nan, note="why (seed 2)", caveat="dependent"),
            *(1.5, 2, False, "undecided", "why (seed 2)"),
        ),
        (
            seeds(*[1.0] * 30, math.nan, is_share=True, note="1 left out"),
            *(1, 30, True, "holds", "1 left out"),
        ),
        (
            seeds(1.0, 1.0, caveat="dependent"),
            *(1, 2, True, "holds", f"dependent; {ONE_VALUE}"),
        ),
    ],
)
def test_finding_says_why_it_has_no_interval_or_a_doubtful_one(
    measured, value, num_units, has_interval, verdict, note
):
    finding = find(measured, ">", 0.5, 0.95)
    assert (finding.value, finding.num_units, finding.verdict) == (value, num_units, verdict)
    assert (finding.low is not None, finding.note) == (has_interval, note)


def test_width_of_a_second_statistic_counts_too():
    both = TwoThresholds(difference=0, score=0.5)
    assert find(seeds(0.1, 0.2, score=(0.7, 0.7)), ">", both, 0.95).note == ONE_VALUE


def test_wider_confidence_decides_less():
    measured = seeds(0.1, 0.2, 0.3)
    assert find(measured, ">", 0, 0.8).verdict == "holds"
    assert find(measured, ">", 0, 0.99).verdict == "undecided"


def test_numbers_have_five_digits_and_no_negative_zero():
    assert significant(1 / 3) == 0.33333
    assert str(significant(-1e-15)) == "0.0"
