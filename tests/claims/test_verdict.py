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


def test_equal_values_on_the_boundary_are_undecided_whatever_rounding_does():
    finding = find(Measured("seeds", (0.1 + 0.2 - 0.3, 0.0)), ">", 0, 0.95)
    assert (finding.value, finding.low, finding.verdict) == (0, 0, "undecided")
    finding = find(Measured("seeds", (-0.8 + 1e-16,) * 3), "<", -0.8, 0.95)
    assert (finding.value, finding.verdict) == (-0.8, "undecided")


def test_equal_units_have_an_interval_without_width_and_the_note_says_so():
    finding = find(Measured("seeds", (-1.0, -1.0, -1.0)), "<", -0.8, 0.95)
    assert (finding.low, finding.high, finding.verdict) == (-1, -1, "holds")
    assert finding.note == "all seeds have one value: an interval without width"
    assert find(Measured("seeds", (-1.0, -1.0, -0.9)), "<", -0.8, 0.95).note is None
    both = TwoThresholds(difference=0, score=0.5)
    finding = find(Measured("seeds", (0.1, 0.2), score=(0.7, 0.7)), ">", both, 0.95)
    assert finding.note == "all seeds have one value: an interval without width"


def test_caveat_stands_beside_other_notes_where_there_is_an_interval():
    measured = Measured("pairs", (1.0, 1.0), caveat="not independent")
    finding = find(measured, ">", 0, 0.95)
    assert finding.note == "not independent; all pairs have one value: an interval without width"
    measured = Measured("pairs", (1.0, math.nan), note="why (pair 1)", caveat="not independent")
    assert find(measured, ">", 0, 0.95).note == "why (pair 1)"


def test_one_unit_gives_a_value_and_no_interval():
    finding = find(Measured("seeds", (0.7,)), ">", 0.5, 0.95)
    assert (finding.value, finding.low, finding.high) == (0.7, None, None)
    assert (finding.num_units, finding.verdict) == (1, "undecided")
    assert finding.note == "one unit only (seeds): no interval"


def test_no_unit_gives_nothing():
    finding = find(Measured("seeds", ()), ">", 0.5, 0.95)
    assert (finding.value, finding.verdict) == (None, "undecided")
    assert finding.note == "there are no seeds to measure"


def test_undefined_unit_gives_the_mean_of_the_others_without_interval():
    finding = find(Measured("seeds", (1.0, 2.0, math.nan), note="why (seed 2)"), ">", 0, 0.95)
    assert (finding.value, finding.low, finding.num_units) == (1.5, None, 2)
    assert (finding.verdict, finding.note) == ("undecided", "why (seed 2)")


def test_undefined_matrices_are_left_out_of_a_share():
    values = (1.0,) * 30 + (math.nan,)
    finding = find(Measured("matrices", values, is_share=True, note="1 left out"), ">", 0.8, 0.95)
    assert (finding.value, finding.num_units, finding.verdict) == (1, 30, "holds")
    assert finding.note == "1 left out"


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
