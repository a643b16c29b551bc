import numpy as np
import pytest

from specflow.figures.grouping import curve, final_values, grid
from specflow.tables.reading import Table


def table(**columns) -> Table:
    arrays = {name: np.array(column) for name, column in columns.items()}
    return Table(
        "known",
        {k: a.astype(np.float64) if a.dtype.kind in "if" else a for k, a in arrays.items()},
    )


def test_curve_is_the_mean_and_the_deviation_over_seeds():
    rows = table(
        seed=[0, 1, 2, 0, 1, 2],
        epoch=[5, 5, 5, 0, 0, 0],
        value=[1.0, 2.0, 6.0, 4.0, 4.0, 4.0],
    )
    measured = curve(rows, "epoch", "value", ["seed"])
    np.testing.assert_array_equal(measured.x, [0, 5])
    np.testing.assert_allclose(measured.mean, [4.0, 3.0])
    np.testing.assert_allclose(measured.std, [0.0, np.std([1, 2, 6])])
    np.testing.assert_allclose(measured.least, [4.0, 1.0])


def test_curve_averages_the_rows_of_a_unit_before_it_takes_the_deviation():
    rows = table(
        trunks=["0", "0", "0", "0", "1", "1"],
        branches=["0-1", "0-1", "0-2", "0-2", "0-1", "0-1"],
        split_step=[3] * 6,
        score=[0.0, 1.0, 0.2, 0.4, 0.9, 0.9],
    )
    measured = curve(rows, "split_step", "score", ["trunks", "branches"])
    units = [0.5, 0.3, 0.9]
    np.testing.assert_allclose(measured.mean, [np.mean(units)])
    np.testing.assert_allclose(measured.std, [np.std(units)])


def test_curve_matches_naive():
    rng = np.random.default_rng(0)
    seeds, epochs = rng.integers(0, 4, 200), rng.integers(0, 10, 200)
    values = np.where(rng.random(200) < 0.1, np.nan, rng.normal(size=200))
    measured = curve(table(seed=seeds, epoch=epochs, value=values), "epoch", "value", ["seed"])
    for x, mean, std in zip(measured.x, measured.mean, measured.std, strict=True):
        per_seed = []
        for seed in range(4):
            own = values[(seeds == seed) & (epochs == x) & np.isfinite(values)]
            per_seed += [own.mean()] if len(own) else []
        assert mean == pytest.approx(np.mean(per_seed))
        assert std == pytest.approx(np.std(per_seed))


def test_curve_of_one_seed_has_no_spread():
    measured = curve(table(seed=[3], epoch=[1], value=[2.0]), "epoch", "value", ["seed"])
    assert (measured.mean.item(), measured.std.item()) == (2.0, 0.0)


def test_curve_leaves_out_what_is_not_finite_and_points_with_nothing():
    rows = table(
        seed=[0, 1, 0, 1, 0, 1],
        epoch=[0, 0, 1, 1, 2, 2],
        value=[np.nan, 3.0, np.nan, np.nan, np.inf, 5.0],
    )
    measured = curve(rows, "epoch", "value", ["seed"])
    np.testing.assert_array_equal(measured.x, [0, 2])
    np.testing.assert_array_equal(measured.mean, [3.0, 5.0])


def test_curve_of_no_rows_is_empty():
    rows = table(seed=[0], epoch=[0], value=[1.0]).where(seed=1)
    assert len(curve(rows, "epoch", "value", ["seed"]).x) == 0


def test_grid_has_the_rows_asked_for_in_their_order():
    rows = table(
        matrix=["a", "b", "a", "b", "other", "a"],
        epoch=[0, 0, 2, 2, 1, 0],
        value=[1.0, 2.0, 3.0, np.nan, 9.0, 5.0],
    )
    x, values = grid(rows, "matrix", ["b", "a"], "epoch", "value")
    np.testing.assert_array_equal(x, [0, 1, 2])
    np.testing.assert_array_equal(values, [[2.0, np.nan, np.nan], [3.0, np.nan, 3.0]])


def test_final_values_are_means_over_the_rows_of_each_seed_at_the_last_step():
    rows = table(
        seed=[0, 0, 1, 1, 0, 0, 1, 1, 2],
        step=[0, 0, 0, 0, 9, 9, 9, 9, 9],
        score=[7.0, 7.0, 7.0, 7.0, 1.0, 2.0, np.nan, 4.0, np.nan],
    )
    np.testing.assert_array_equal(final_values(rows, "score"), [1.5, 4.0])
    assert len(final_values(rows.where(seed=5), "score")) == 0
