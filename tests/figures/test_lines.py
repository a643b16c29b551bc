"""Means and spreads of rows of tables, and how they land on the axes."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from specflow.figures import lines


def drawn(*mean: float, std: float = 0.0) -> pd.DataFrame:
    return pd.DataFrame({"mean": mean, "std": std, "least": np.array(mean) - std / 2})


def test_curve_matches_naive_mean_and_deviation_over_units():
    rng = np.random.default_rng(0)
    columns = {name: rng.integers(0, 4, 300) for name in ("trunks", "branches", "time")}
    values = np.where(rng.random(300) < 0.1, np.nan, rng.normal(size=300))
    rows = pd.DataFrame({**columns, "value": values})
    measured = lines.curve(rows, "value", ("trunks", "branches"))
    assert measured.index.tolist() == [0, 1, 2, 3]
    for time, own in rows[np.isfinite(values)].groupby("time"):
        units = [one["value"].mean() for _, one in own.groupby(["trunks", "branches"])]
        expected = [np.mean(units), np.std(units, ddof=1), np.min(units)]
        np.testing.assert_allclose(measured.loc[time], expected)


def test_curve_of_one_seed_has_no_spread_and_of_no_rows_no_point():
    rows = pd.DataFrame({"seed": [3], "time": [1.0], "value": [2.0]})
    measured = lines.curve(rows, "value")
    assert measured["mean"].tolist() == [2.0]
    assert measured["std"].isna().all()
    assert lines.curve(rows[:0], "value").empty


def test_curve_leaves_out_what_is_not_finite_and_points_with_nothing():
    values = [np.nan, 3.0, np.nan, np.nan, np.inf, 5.0]
    rows = pd.DataFrame({"seed": [0, 1] * 3, "time": [0, 0, 1, 1, 2, 2], "value": values})
    assert lines.curve(rows, "value")["mean"].to_dict() == {0: 3.0, 2: 5.0}


def test_final_values_are_means_over_the_rows_of_each_seed_at_the_last_step():
    rows = pd.DataFrame(
        {
            "seed": [0, 0, 1, 1, 0, 0, 1, 1, 2],
            "step": [0, 0, 0, 0, 9, 9, 9, 9, 9],
            "score": [7.0, 7.0, 7.0, 7.0, 1.0, 2.0, np.nan, 4.0, np.nan],
        }
    )
    assert lines.final_values(rows, "score").to_dict() == pytest.approx({0: 1.5, 1: 4.0})
    assert lines.final_values(rows[:0], "score").empty


@pytest.mark.parametrize(("steps", "marker"), [(1, "."), (40, "."), (41, "None")])
def test_lines_of_few_steps_have_marks(steps, marker):
    axes = Figure().add_subplot()
    lines.draw_all(axes, pd.DataFrame(np.ones((3, steps))), has_many=False)
    assert [line.get_marker() or "None" for line in axes.lines] == [marker] * 3


@pytest.mark.parametrize(("scale", "low"), [("linear", 0.4), ("log", 0.7)])
def test_a_curve_has_a_band_of_one_deviation_that_on_a_log_axis_ends_at_the_least_unit(scale, low):
    axes = Figure().subplots()
    axes.set_yscale(scale)
    lines.draw_curve(axes, drawn(1.0, 2.0, std=0.6), "black")
    band = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (pytest.approx(low), pytest.approx(2.6))


def test_a_curve_of_one_seed_has_no_band_and_of_one_point_a_mark():
    axes = Figure().subplots()
    lines.draw_curve(axes, drawn(1.0, std=np.nan), "black")
    assert not axes.collections
    assert axes.lines[0].get_marker() == "o"


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        *(([5.0, 0.01], "log"), ([5.0, 1.0], "linear")),
        *(([0.9, 0.001], "linear"), ([1.02, 0.001], "linear"), ([], "linear")),
    ],
)
def test_losses_get_a_log_scale_and_rates_of_errors_do_not(values, scale):
    axes = Figure().subplots()
    lines.scale_ordinate(axes, [values[:1], values[1:]])
    assert axes.get_yscale() == scale
    low, high = axes.get_ylim()
    assert all(low < value < high for value in values)


def test_a_log_scale_of_few_decades_has_round_numbers_between_powers_of_ten():
    axes = Figure().subplots()
    lines.scale_ordinate(axes, [[0.16, 6.0]])
    assert [text.get_text() for text in axes.get_yticklabels()] == ["0.3", "1", "3"]
    assert not any(text.get_text() for text in axes.get_yticklabels(minor=True))


def test_the_extent_of_a_curve_is_its_mean_and_its_band():
    axes = Figure().subplots()
    axes.set_yscale("log")
    curve = drawn(1.0, 3.0, std=0.8)
    lines.draw_curve(axes, curve, "black")
    band = axes.collections[0].get_paths()[0].vertices[:, 1]
    reached = lines.extent(curve)
    assert (reached.min(), reached.max()) == pytest.approx((band.min(), band.max()))
    one_seed = pd.DataFrame({"seed": [3], "time": [1.0], "value": [2.0]})
    assert set(lines.extent(lines.curve(one_seed, "value"))) == {2.0}
