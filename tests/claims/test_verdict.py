import math

import pytest

from specflow.claims.claim import TwoThresholds
from specflow.claims.measured import Measured, UndefinedError, over_units
from specflow.claims.scorecard import Estimate
from specflow.claims.verdict import find, significant, verdict_of


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


ONE_VALUE = "all seeds have one value: an interval without width"


@pytest.mark.parametrize(
    ("measured", "value", "num_units", "has_interval", "verdict", "note"),
    [
        (Measured("seeds", ()), None, 0, False, "undecided", "there are no seeds to measure"),
        (
            Measured("seeds", (0.7,)),
            *(0.7, 1, False, "undecided", "one unit only (seeds): no interval"),
        ),
        (Measured("seeds", (0.7, 0.7, 0.71)), 0.70333, 3, True, "holds", None),
        (Measured("seeds", (1.0, 1.0, 1.0)), 1, 3, True, "holds", ONE_VALUE),
        (Measured("seeds", (0.5 + 2e-16, 0.5)), 0.5, 2, True, "undecided", ONE_VALUE),
        (
            Measured("seeds", (1.0, 2.0, math.nan), note="why (seed 2)", caveat="dependent"),
            *(1.5, 2, False, "undecided", "why (seed 2)"),
        ),
        (
            Measured("seeds", (1.0,) * 30 + (math.nan,), is_share=True, note="1 left out"),
            *(1, 30, True, "holds", "1 left out"),
        ),
        (
            Measured("seeds", (1.0, 1.0), caveat="dependent"),
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
    assert find(Measured("seeds", (0.1, 0.2), score=(0.7, 0.7)), ">", both, 0.95).note == ONE_VALUE


def test_wider_confidence_decides_less():
    measured = Measured("seeds", (0.1, 0.2, 0.3))
    assert find(measured, ">", 0, 0.8).verdict == "holds"
    assert find(measured, ">", 0, 0.99).verdict == "undecided"


def test_numbers_have_five_digits_and_no_negative_zero():
    assert significant(1 / 3) == 0.33333
    assert str(significant(-1e-15)) == "0.0"


def test_reasons_are_given_once_with_all_units():
    def statistic(key):
        if key > 1:
            raise UndefinedError("too large")
        return key

    measured = over_units("numbers", {"one": 1, "two": 2, "three": 3}, statistic)
    assert measured.values[0] == 1
    assert measured.note == "too large (two, three)"
