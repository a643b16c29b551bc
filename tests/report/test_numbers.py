import pytest

from specflow.claims.scorecard import Estimate
from specflow.report.numbers import MINUS, interval_of, number, parameter, spread, value_of


@pytest.mark.parametrize(
    ("value", "uncertainty", "text"),
    [
        (0.83333, 0.22, "0.83"),
        (1.0, 0.05, "1.000"),
        (466.67, 94.3, "467"),
        (-0.402, 0.095, f"{MINUS}0.402"),
        (-0.0001, 0.5, "0.00"),
        (12345.6, 3000.0, "12346"),
        (-6.16e-05, 2.8e-06, f"{MINUS}6.16e{MINUS}05"),
        (0.12345, 0.0, "0.123"),
        (None, 0.1, "—"),
    ],
)
def test_number_has_the_digits_that_its_uncertainty_leaves(value, uncertainty, text):
    assert number(value, uncertainty) == text


def test_value_and_interval_have_the_same_decimals():
    estimate = Estimate(value=0.5, low=0.4321, high=0.6)
    assert value_of(estimate) == "0.50"
    assert interval_of(estimate) == "[0.43, 0.60]"


def test_spread_shows_the_mean_to_the_digits_of_its_deviation():
    assert spread(0.0055712, 0.0028344) == "0.0056 ± 0.0028"
    assert spread(0.25, 0.0) == spread(0.25, 6.94e-18) == "0.25 ± 0"
    assert spread(None, None) == "—"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "none"), (True, "true"), (1e-4, "0.0001"), ("full", "full"), ([], "none")],
)
def test_parameter_is_written_as_in_the_file(value, text):
    assert parameter(value) == text
    assert parameter([3, 0.5]) == "3, 0.5"
