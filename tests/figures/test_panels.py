"""What lands on the axes, read back from the artists."""

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from specflow.figures.curves import draw_curve, scale_ordinate
from specflow.figures.grouping import Curve
from specflow.figures.heatmap import ColourScale, null_text
from specflow.figures.index import BATCH_NORM
from specflow.figures.layers import short_pair
from specflow.figures.losses import Variant, draw_losses, variant_keys, variants_of
from specflow.figures.singular_values import draw_singular_values
from specflow.figures.style import EFFECTIVE_RANK_MAP, KEEP_COLOURS
from specflow.params.figures import FiguresParams
from specflow.tables.reading import Tables


def curve_of(*mean: float, std: float = 0.0) -> Curve:
    values = np.array(mean)
    return Curve(np.arange(len(mean)) * 1.0, values, values * 0 + std, values - std / 2)


def band_of(axes) -> np.ndarray:
    return axes.collections[0].get_paths()[0].vertices[:, 1]


def test_a_curve_has_a_band_of_one_standard_deviation():
    axes = Figure().subplots()
    draw_curve(axes, curve_of(1.0, 2.0, std=0.5), "black")
    assert (band_of(axes).min(), band_of(axes).max()) == (0.5, 2.5)


def test_on_a_log_axis_the_band_ends_at_the_least_unit():
    axes = Figure().subplots()
    axes.set_yscale("log")
    draw_curve(axes, curve_of(1.0, 2.0, std=1.0), "black")
    assert band_of(axes).min() == 0.5


@pytest.mark.parametrize(
    ("mean", "scale"),
    [
        ((5.0, 0.01), "log"),
        ((5.0, 1.0), "linear"),
        ((0.9, 0.001), "linear"),
        ((5.0, 0.0), "linear"),
    ],
)
def test_losses_get_a_log_scale_and_fractions_do_not(mean, scale):
    axes = Figure().subplots()
    scale_ordinate(axes, [curve_of(*mean)])
    assert axes.get_yscale() == scale


@pytest.mark.parametrize(("fractions", "note"), [((0.5,), BATCH_NORM), ((), "")])
def test_losses_say_what_becomes_of_batch_norm_where_models_are_pruned(
    make_tables, fractions, note
):
    world = {"experiments": ("digits_vgg",), "num_checkpoints": 3, "fractions": fractions}
    figure = draw_losses(Tables(make_tables(**world)), "digits_vgg", FiguresParams())
    assert figure.legends[0].get_title().get_text() == note


def test_losses_show_each_variant_in_its_colour_and_true_epochs(make_tables):
    tables = Tables(make_tables(experiments=("digits_vgg",), num_checkpoints=10))
    figure = draw_losses(tables, "digits_vgg", FiguresParams())
    axes = figure.axes[0]
    assert [line.get_color() for line in axes.lines] == list(KEEP_COLOURS.values())
    assert axes.lines[0].get_xdata().tolist() == [0, 0.1, 0.2, 0.5, 1, 2, 3, 4, 5, 6]
    titles = [axes.get_title(loc="left") or axes.get_title() for axes in figure.axes]
    assert titles == ["train loss", "train error", "validation loss", "validation error"]


def test_without_pruning_the_full_model_comes_from_the_history(make_tables):
    folder = make_tables(experiments=("digits_vgg",), num_checkpoints=10)
    full = draw_losses(Tables(folder), "digits_vgg", FiguresParams()).axes[0].lines[0]
    table = folder / "pruning.csv"
    table.write_text(table.read_text().splitlines()[0] + "\n")
    lines = draw_losses(Tables(folder), "digits_vgg", FiguresParams()).axes[0].lines
    assert len(lines) == 1
    np.testing.assert_array_equal(lines[0].get_ydata(), full.get_ydata())


def test_fractions_are_told_apart_by_dashes(make_tables):
    tables = Tables(make_tables(experiments=("digits_vgg",), fractions=(0.25, 0.5)))
    variants = variants_of(tables["pruning"])
    assert [(v.keep, v.keep_fraction, v.rank) for v in variants] == [
        ("full", 1.0, 0),
        ("top", 0.5, 0),
        ("top", 0.25, 1),
        ("bottom", 0.5, 0),
        ("bottom", 0.25, 1),
    ]
    assert variants[1].line["linestyle"] != variants[2].line["linestyle"]
    assert [key.get_label() for key in variant_keys(variants)] == [
        "full model",
        " ",
        "top 50% of the spectrum kept",
        "top 25% of the spectrum kept",
        "bottom 50% of the spectrum kept",
        "bottom 25% of the spectrum kept",
    ]


def test_a_variant_is_named_in_percent():
    assert Variant("top", 0.125, 0).label == "top 12.5% of the spectrum kept"


def test_every_singular_value_has_a_line_the_largest_on_top(make_tables):
    tables = Tables(make_tables(experiments=("digits_vgg",), num_values=5))
    axes = draw_singular_values(tables, "digits_vgg", FiguresParams()).axes[0]
    (lines,) = (one for one in axes.collections if isinstance(one, LineCollection))
    ends = [segment[-1, 1] for segment in lines.get_segments()]
    assert ends == sorted(ends)


def test_colours_are_scaled_outward_to_round_numbers():
    scale = ColourScale.around(EFFECTIVE_RANK_MAP, np.array([0.62, np.nan, 0.91]))
    assert (scale.low, scale.high) == (pytest.approx(0.6), pytest.approx(0.95))
    undefined = ColourScale.around(EFFECTIVE_RANK_MAP, np.array([np.nan]))
    assert (undefined.low, undefined.high) == (0.0, 1.0)
    constant = ColourScale.around(EFFECTIVE_RANK_MAP, np.array([0.5]))
    assert constant.low < constant.high


@pytest.mark.parametrize(
    ("nulls", "text"),
    [
        ([0.0123, 0.0123], "null level 0.012"),
        ([0.1, np.nan, 0.02], "null level 0.02 to 0.1"),
        ([np.nan], "null level not defined"),
    ],
)
def test_null_levels_are_stated(nulls, text):
    assert null_text(np.array(nulls)) == text


@pytest.mark.parametrize(
    ("pair", "short"),
    [
        ("block 1 MLP in -> block 1 MLP out", "block 1: MLP in → MLP out"),
        ("block 1 query -> key", "block 1 query → key"),
        ("block 1 MLP out -> block 2 attention in", "block 1 MLP out → block 2 attention in"),
        ("conv 1 -> conv 2", "conv 1 → conv 2"),
        ("embedding -> output", "embedding → output"),
    ],
)
def test_pairs_say_what_both_sides_share_once(pair, short):
    assert short_pair(pair) == short
