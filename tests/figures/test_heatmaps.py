"""Grids of means, the cells and colours that they become, and what grey says."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import colormaps
from matplotlib.figure import Figure

from specflow.figures import heatmaps
from specflow.figures.style import (
    ALIGNMENT_MAP,
    CHANGE_MAP,
    EFFECTIVE_RANK_MAP,
    RANK_CHANGE_MAP,
    SCALES,
)
from specflow.figures.timeline import Timeline

TIMELINE = Timeline("step", "linear")
SCALE = heatmaps.colour_scale(EFFECTIVE_RANK_MAP, ())


def test_grid_has_the_rows_asked_for_in_their_order_and_every_time():
    rows = pd.DataFrame(
        {
            "matrix": ["a", "b", "a", "b", "other", "a"],
            "time": [0, 0, 2, 2, 1, 0],
            "value": [1.0, 2.0, 3.0, np.nan, 9.0, 5.0],
        }
    )
    found = heatmaps.grid(rows, "matrix", ["b", "a"], "value")
    assert found.columns.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(found, [[2.0, np.nan, np.nan], [3.0, np.nan, 3.0]])


def test_heatmap_of_indices_has_rows_as_high_as_they_are_apart():
    axes = Figure().subplots()
    grid = pd.DataFrame(np.eye(4)[:, :2], index=[1, 2, 4, 8], columns=[0.0, 10.0])
    mesh = heatmaps.draw_heatmap(axes, grid, TIMELINE, SCALE)
    assert mesh.get_coordinates()[:, 0, 1].tolist() == [0.5, 1.5, 3, 6, 8.5]
    assert axes.get_ylim() == (8.5, 0.5)
    assert axes.get_yticks().tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert axes.get_xlabel() == "step"


@pytest.mark.parametrize(
    ("values", "note"), [([0.0, np.nan], "\n(grey: not defined)"), ([0.0, 1.0], "")]
)
def test_grey_is_explained_where_something_is_not_defined(values, note):
    figure = Figure(layout="constrained")
    axes = figure.subplots()
    grid = pd.DataFrame([values], index=["a"], columns=[0.0, 1.0])
    mesh = heatmaps.draw_heatmap(axes, grid, TIMELINE, SCALE)
    bar = heatmaps.add_colour_bar(figure, [axes], [mesh], "score")
    assert bar.ax.get_ylabel() == "score" + note


@pytest.mark.parametrize(
    ("values", "limits"),
    [
        ([[0.62], np.array([[np.nan, 0.91]])], (0.6, 0.95)),
        ([[np.nan]], (0.0, 1.0)),
        ([[0.5]], (0.5, 0.55)),
    ],
)
def test_colours_are_scaled_outward_to_round_numbers(values, limits):
    assert heatmaps.colour_scale(CHANGE_MAP, values).get_clim() == pytest.approx(limits)


@pytest.mark.parametrize("name", SCALES)
def test_a_quantity_has_the_same_colours_whatever_else_is_drawn_and_small_values_differ(name):
    colours = colormaps[name]
    one, other = (heatmaps.colour_scale(colours, values) for values in ([0.1, 0.2], [0.9]))
    shown = np.linspace(-0.5, 1.5, 9)
    np.testing.assert_array_equal(one.to_rgba(shown), other.to_rgba(shown))
    low, high = one.get_clim()
    places = one.norm(np.linspace(low, high, 101))
    assert (places[0], places[-1]) == (0, 1)
    assert np.all(np.diff(places) > 0)
    assert set(SCALES[name].ticks) >= {low, high}


def test_weak_alignment_and_a_small_change_of_rank_can_be_seen():
    alignment = heatmaps.colour_scale(ALIGNMENT_MAP, ())
    assert alignment.norm(0.1) - alignment.norm(0.02) > 0.15
    change = heatmaps.colour_scale(RANK_CHANGE_MAP, ())
    assert change.norm(0.0) == pytest.approx(0.5)
    assert change.norm(-0.01) < 0.4
    assert change.norm(-0.01) == pytest.approx(1 - change.norm(0.01))


def test_indices_are_numbered_apart_from_the_first():
    axes = Figure().subplots()
    heatmaps.draw_heatmap(axes, pd.DataFrame(np.eye(16), range(1, 17)), TIMELINE, SCALE)
    assert axes.get_yticks().tolist() == [1, 4, 6, 8, 10, 12, 14, 16]
