import numpy as np
import pytest

from specflow.claims.interval import interval_of_mean, interval_of_share, rank_correlation


def test_interval_of_a_mean_is_students():
    values = [1.0, 2.0, 4.0]
    half = 4.302653 * np.std(values, ddof=1) / np.sqrt(3)  # t of 2 degrees of freedom, 0.975
    expected = (np.mean(values) - half, np.mean(values) + half)
    assert interval_of_mean(values, 0.95) == pytest.approx(expected)


def test_interval_of_equal_values_is_that_point():
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
    with pytest.raises(ValueError, match="2 points are too few"):
        rank_correlation([1, 2], [1, 2])
    with pytest.raises(ValueError, match="a constant has no rank correlation"):
        rank_correlation([1, 2, 3], [5, 5, 5])
