"""What is found of the statistics of a claim: intervals, verdicts, and why there is none."""

import math

import numpy as np
import pytest

from specflow.claims.claim import Claim, Subjects
from specflow.claims.inference import runs_needed
from specflow.claims.judge import find_all, significant
from specflow.claims.measured import Measured, UndefinedError, over_units
from specflow.section import Section


class Two(Section):
    one: float
    other: float


def claim(holds=">", bounds=((-math.inf, math.inf),)):
    return Claim(
        text="",
        statistic="",
        holds=holds,
        bounds=bounds,
        subjects=Subjects("", lambda tables, settings: {}),
        paper="",
        measure=lambda tables, subject: seeds(),
    )


def seeds(*values, **about):
    return Measured("seeds", values, **about)


def find(measured, holds=">", threshold=0.5, confidence=0.95, **about):
    return find_all({"run": measured}, claim(holds, **about), threshold, confidence)["run"]


@pytest.fixture
def verdicts_alone(monkeypatch):
    """Neither intervals nor runs needed: most of what a finding takes, and no part of verdicts."""
    for name in ("interval_of_mean", "runs_needed"):
        monkeypatch.setattr(f"specflow.claims.judge.{name}", lambda *_: None)


def test_reasons_are_given_once_with_all_units():
    def statistic(number):
        if number > 1:
            raise UndefinedError("too large")
        return number

    measured = over_units("numbers", "number", [1, 2, 3], statistic)
    assert measured.values[0] == 1
    assert measured.note == "too large (number 2, number 3)"


def test_verdict_is_by_the_side_on_which_the_whole_interval_lies():
    rng = np.random.default_rng(0)
    verdicts = set()
    for _ in range(200):
        values = rng.normal(0.5 + rng.normal(), 0.5, 4)
        above, below = find(seeds(*values), ">"), find(seeds(*values), "<")
        low, high = above.low, above.high
        expected = "holds" if low > 0.5 else "does not hold" if high < 0.5 else "undecided"
        assert above.verdict == expected
        turned = {"holds": "does not hold", "does not hold": "holds"}
        assert below.verdict == turned.get(expected, expected)
        verdicts.add(expected)
    assert len(verdicts) == 3


def test_any_verdict_on_many_subjects_without_an_effect_is_as_rare_as_one(verdicts_alone):
    """Simulated: six subjects whose true mean is the threshold, in 1000 scorecards."""
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(1000):
        measured = {str(n): seeds(*rng.normal(0.5, 1.0, 3)) for n in range(6)}
        found = find_all(measured, claim(), 0.5, 0.95).values()
        wrong += any(finding.verdict != "undecided" for finding in found)
    assert 0.03 < wrong / 1000 < 0.07


def test_subject_that_is_decided_alone_may_be_one_of_too_many():
    values = seeds(0.7, 0.8, 0.9)
    alone = find(values)
    assert (alone.verdict, alone.note, alone.needed) == ("holds", None, None)
    noise = {str(n): seeds(0.4, 0.5, 0.7) for n in range(9)}
    found = find_all({"run": values, **noise}, claim(), 0.5, 0.95)["run"]
    assert (found.low, found.high) == (alone.low, alone.high)
    assert found.p == pytest.approx(10 * alone.p, rel=1e-3)
    assert found.verdict == "undecided"
    assert found.note == "beyond the threshold by itself, but not as one of 10 subjects (Holm)"
    assert found.needed > 3


@pytest.mark.parametrize(
    ("values", "value", "num_units", "note"),
    [
        ((), None, 0, "there are no seeds to measure"),
        ((0.7,), 0.7, 1, "one unit only (seeds): no interval"),
        ((1.0, 1.0, 1.0), 1, 3, "all 3 seeds have one value, which is no certainty"),
        ((1.0, 2.0, math.nan), 1.5, 2, "why (seed 2)"),
    ],
)
def test_finding_without_an_interval_says_why(values, value, num_units, note):
    about = {"note": "why (seed 2)"} if math.nan in values else {}
    finding = find(seeds(*values, **about))
    assert (finding.value, finding.num_units, finding.note) == (value, num_units, note)
    assert (finding.low, finding.p, finding.needed) == (None, None, None)
    assert finding.verdict == "undecided"


HIGH, LOW, WIDE = (0.7, 0.71, 0.72), (0.3, 0.31, 0.32), (0.3, 0.5, 0.72)


@pytest.mark.parametrize(
    ("one", "other", "verdict"),
    [
        (HIGH, HIGH, "holds"),
        (HIGH, LOW, "does not hold"),
        (LOW, WIDE, "does not hold"),
        (HIGH, WIDE, "undecided"),
        (WIDE, WIDE, "undecided"),
        (HIGH, (0.7, 0.7, 0.7), "undecided"),
    ],
)
def test_claim_with_two_conditions(one, other, verdict):
    limits, bounds = Two(one=0.5, other=0.5), ((0, 1), (0, 1))
    finding = find(seeds(*one, also=(other,)), threshold=limits, bounds=bounds)
    assert finding.verdict == verdict
    assert finding.also["other"].value == pytest.approx(np.mean(other), abs=1e-4)


def test_second_condition_that_fails_is_one_of_two_tests():
    """At twice its level: 0.04 by itself would say that the claim does not hold."""
    values = 0.5 + 0.1 * np.array([-1.0, -0.7, -0.5, -0.3])
    alone = find(seeds(*values))
    assert alone.verdict == "does not hold"
    limits, bounds = Two(one=0.5, other=0.5), ((0, 1), (0, 1))
    measured = seeds(0.7, 0.71, 0.72, 0.73, also=(tuple(values),))
    both = find(measured, threshold=limits, bounds=bounds)
    assert both.p == pytest.approx(2 * alone.p, rel=1e-3)


@pytest.mark.parametrize(
    ("one", "other", "deciding"),
    [
        ((0.7, 0.4, 0.9), (0.6, 0.4, 0.7), [(0.7, 0.4, 0.9), (0.6, 0.4, 0.7)]),  # all must hold
        ((0.7, 0.4, 0.9), (0.3, 0.6, 0.4), [(0.3, 0.6, 0.4)]),  # one that fails is enough
        ((0.5, 0.4, 0.6), (0.3, 0.6, 0.4), [(0.3, 0.6, 0.4)]),  # at the threshold itself
    ],
)
def test_runs_needed_are_those_of_the_conditions_that_decide(one, other, deciding):
    limits, bounds = Two(one=0.5, other=0.5), ((0, 1), (0, 1))
    finding = find(seeds(*one, also=(other,)), threshold=limits, bounds=bounds)
    level = 0.05 if len(deciding) == 2 else 0.025
    assert finding.verdict == "undecided"
    assert finding.needed == max(runs_needed(values, 0.5, level) for values in deciding) > 3


@pytest.mark.parametrize(
    ("one", "other", "wrong"), [(0.5, 0.9, ["holds"]), (0.5, 0.5, ["holds", "does not hold"])]
)
def test_verdict_on_two_conditions_at_the_threshold_is_as_rare(verdicts_alone, one, other, wrong):
    """Simulated: 1000 subjects with one condition, or both, neither true nor false."""
    rng = np.random.default_rng(0)
    limits, bounds, verdicts = Two(one=0.5, other=0.5), ((-9, 9), (-9, 9)), []
    for _ in range(1000):
        first, second = rng.normal((one, other), 0.1, (4, 2)).T
        finding = find(seeds(*first, also=(tuple(second),)), threshold=limits, bounds=bounds)
        verdicts.append(finding.verdict)
    assert all(verdicts.count(verdict) / 1000 < 0.05 for verdict in wrong)


def test_wider_confidence_decides_less():
    measured = seeds(0.1, 0.2, 0.3)
    assert find(measured, threshold=0, confidence=0.8).verdict == "holds"
    assert find(measured, threshold=0, confidence=0.99).verdict == "undecided"


def test_numbers_have_five_digits_and_no_negative_zero():
    assert significant(1 / 3) == 0.33333
    assert str(significant(-1e-15)) == "0.0"
