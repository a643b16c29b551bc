"""What lands on the axes, read back from the artists; and texts that fit and mean themselves."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from specflow.figures import panels
from specflow.figures.panels import ColourScale
from specflow.figures.style import (
    EFFECTIVE_RANK_MAP,
    column_titles,
    plain,
    short_pair,
    shortened,
)
from specflow.figures.timeline import Timeline

TIMELINE = Timeline("step", "linear")
SCALE = ColourScale(EFFECTIVE_RANK_MAP, 0, 1)


def curve_of(*mean: float, std: float = 0.0) -> pd.DataFrame:
    return pd.DataFrame({"mean": mean, "std": std, "least": np.array(mean) - std / 2})


@pytest.mark.parametrize(("scale", "low"), [("linear", 0.4), ("log", 0.7)])
def test_a_curve_has_a_band_of_one_deviation_that_on_a_log_axis_ends_at_the_least_unit(scale, low):
    axes = Figure().subplots()
    axes.set_yscale(scale)
    panels.draw_curve(axes, curve_of(1.0, 2.0, std=0.6), "black")
    band = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (pytest.approx(low), pytest.approx(2.6))


def test_a_curve_of_one_seed_has_no_band_and_of_one_point_a_mark():
    axes = Figure().subplots()
    panels.draw_curve(axes, curve_of(1.0, std=np.nan), "black")
    assert not axes.collections
    assert axes.lines[0].get_marker() == "o"


@pytest.mark.parametrize(
    ("values", "scale"),
    [([5.0, 0.01], "log"), ([5.0, 1.0], "linear"), ([0.9, 0.001], "linear"), ([], "linear")],
)
def test_losses_get_a_log_scale_and_fractions_do_not(values, scale):
    axes = Figure().subplots()
    panels.scale_ordinate(axes, [values[:1], values[1:]])
    assert axes.get_yscale() == scale
    low, high = axes.get_ylim()
    assert all(low < value < high for value in values)


@pytest.mark.parametrize(("sizes", "scale"), [((0.1, 3.0), "symlog"), ((1.0, 3.0), "linear")])
def test_barriers_of_different_size_get_a_log_scale_around_zero(sizes, scale):
    axes = Figure().subplots()
    panels.scale_around_zero(axes, [curve_of(-size, 0.0) for size in sizes])
    assert axes.get_yscale() == scale


def test_heatmap_of_indices_has_rows_as_high_as_they_are_apart():
    axes = Figure().subplots()
    grid = pd.DataFrame(np.eye(4)[:, :2], index=[1, 2, 4, 8], columns=[0.0, 10.0])
    mesh = panels.draw_heatmap(axes, grid, TIMELINE, SCALE)
    assert mesh.get_coordinates()[:, 0, 1].tolist() == [0.5, 1.5, 3, 6, 8.5]
    assert axes.get_ylim() == (8.5, 0.5)
    assert axes.get_yticks().tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert axes.get_xlabel() == "step"


def test_grey_is_explained_where_something_is_not_defined():
    for values, note in (([[0.0, np.nan]], "\n(grey: not defined)"), ([[0.0, 1.0]], "")):
        figure = Figure(layout="constrained")
        axes = figure.subplots()
        grid = pd.DataFrame(values, index=["a"], columns=[0.0, 1.0])
        mesh = panels.draw_heatmap(axes, grid, TIMELINE, SCALE)
        bar = panels.add_colour_bar(figure, [axes], [mesh], "score")
        assert bar.ax.get_ylabel() == "score" + note


def test_colours_are_scaled_outward_to_round_numbers():
    scale = ColourScale.around(EFFECTIVE_RANK_MAP, [[0.62], np.array([[np.nan, 0.91]])])
    assert (scale.low, scale.high) == (pytest.approx(0.6), pytest.approx(0.95))
    undefined = ColourScale.around(EFFECTIVE_RANK_MAP, [[np.nan]])
    assert (undefined.low, undefined.high) == (0.0, 1.0)
    constant = ColourScale.around(EFFECTIVE_RANK_MAP, [[0.5]])
    assert constant.low < constant.high


@pytest.mark.parametrize(
    ("nulls", "text"),
    [
        ([0.0123, 0.0123], "null level 0.012"),
        ([0.1, np.nan, 0.02], "null level 0.02 to 0.1"),
        ([np.nan], "null level not defined"),
        ([], "null level not defined"),
    ],
)
def test_null_levels_are_stated(nulls, text):
    assert panels.null_text(pd.Series(nulls, dtype=float)) == text


@pytest.mark.parametrize(
    ("pair", "short"),
    [
        ("block 1 MLP in -> block 1 MLP out", "block 1: MLP in → MLP out"),
        ("block 1 query -> key", "block 1 query → key"),
        ("block 1 MLP out -> block 2 attention in", "block 1 MLP out → block 2 attention in"),
        ("conv 1 -> conv 2", "conv 1 → conv 2"),
    ],
)
def test_pairs_say_what_both_sides_share_once(pair, short):
    assert short_pair(pair) == short


def test_long_labels_lose_their_middle():
    assert shortened("short $label$") == "short $label$"
    label = shortened("start" + 100 * "." + "end")
    assert (len(label), label[:6], label[-4:]) == (60, "start.", ".end")


def test_dollars_are_drawn_as_they_are():
    figure = Figure()
    text = figure.text(0, 0, plain(r"$\frac{no mathematics$"))
    assert text._preprocess_math(text.get_text()) == (r"$\frac{no mathematics$", False)


def test_titles_are_broken_and_their_parts_end_at_one_height():
    columns = [("a", "x")] * 4 + [("a_name_that_is_long", "one two"), ("b", "conv 1 -> conv 2 b")]
    titles = column_titles(columns)
    assert titles[0] == "\na\n\nx"
    assert titles[4] == "a_name_that_is_\nlong\n\none two"
    assert titles[5] == "\nb\nconv 1 -> conv 2\nb"
    assert column_titles([("a_name_that_is_long",), ("",)]) == ["a_name_that_is_long", ""]
