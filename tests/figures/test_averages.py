import numpy as np
import pandas as pd
import pytest

from specflow.figures.averages import curve, final_values, grid


def test_curve_matches_naive_mean_and_deviation_over_units():
    rng = np.random.default_rng(0)
    columns = {name: rng.integers(0, 4, 300) for name in ("trunks", "branches", "time")}
    values = np.where(rng.random(300) < 0.1, np.nan, rng.normal(size=300))
    rows = pd.DataFrame({**columns, "value": values})
    measured = curve(rows, "value", ("trunks", "branches"))
    assert measured.index.tolist() == [0, 1, 2, 3]
    for time, own in rows[np.isfinite(values)].groupby("time"):
        units = [one["value"].mean() for _, one in own.groupby(["trunks", "branches"])]
        expected = [np.mean(units), np.std(units, ddof=1), np.min(units)]
        np.testing.assert_allclose(measured.loc[time], expected)


def test_curve_of_one_seed_has_no_spread_and_of_no_rows_no_point():
    rows = pd.DataFrame({"seed": [3], "time": [1.0], "value": [2.0]})
    measured = curve(rows, "value")
    assert measured["mean"].tolist() == [2.0]
    assert measured["std"].isna().all()
    assert curve(rows[:0], "value").empty


def test_curve_leaves_out_what_is_not_finite_and_points_with_nothing():
    values = [np.nan, 3.0, np.nan, np.nan, np.inf, 5.0]
    rows = pd.DataFrame({"seed": [0, 1] * 3, "time": [0, 0, 1, 1, 2, 2], "value": values})
    assert curve(rows, "value")["mean"].to_dict() == {0: 3.0, 2: 5.0}


def test_grid_has_the_rows_asked_for_in_their_order_and_every_time():
    rows = pd.DataFrame(
        {
            "matrix": ["a", "b", "a", "b", "other", "a"],
            "time": [0, 0, 2, 2, 1, 0],
            "value": [1.0, 2.0, 3.0, np.nan, 9.0, 5.0],
        }
    )
    found = grid(rows, "matrix", ["b", "a"], "value")
    assert found.columns.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(found, [[2.0, np.nan, np.nan], [3.0, np.nan, 3.0]])


def test_final_values_are_means_over_the_rows_of_each_seed_at_the_last_step():
    rows = pd.DataFrame(
        {
            "seed": [0, 0, 1, 1, 0, 0, 1, 1, 2],
            "step": [0, 0, 0, 0, 9, 9, 9, 9, 9],
            "score": [7.0, 7.0, 7.0, 7.0, 1.0, 2.0, np.nan, 4.0, np.nan],
        }
    )
    assert final_values(rows, "score").to_dict() == pytest.approx({0: 1.5, 1: 4.0})
    assert final_values(rows[:0], "score").empty
