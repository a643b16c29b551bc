"""A metric that does not depend on the network is a line in the panel of the one it is for."""

import pytest

from specflow.figures.interpolation import draw_interpolation
from specflow.figures.losses import draw_losses
from specflow.figures.style import NULL_COLOUR
from specflow.params.figures import FiguresParams
from specflow.tables.reading import Tables

SETTINGS = {"experiments": ("digits_vgg",), "num_checkpoints": 10}
DRAWINGS = pytest.mark.parametrize("draw", [draw_losses, draw_interpolation])


def levels_of(axes) -> list[float]:
    """Heights of the dashed lines."""
    return [line.get_ydata()[0] for line in axes.lines if line.get_color() == NULL_COLOUR]


def legend_of(figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


@DRAWINGS
def test_baseline_is_a_line_in_every_panel_of_its_metric_and_nowhere_else(make_tables, draw):
    tables = Tables(make_tables(**SETTINGS, loss_baseline=3.5))
    panels = draw(tables, "digits_vgg", FiguresParams()).axes
    without = draw(Tables(make_tables(**SETTINGS)), "digits_vgg", FiguresParams()).axes
    assert len(panels) == len(without)
    # metrics are the columns of the one figure, the rows of the other
    place = panels[:3] if draw is draw_interpolation else panels[::2]
    for axes in panels:
        assert levels_of(axes) == ([3.5] if axes in place else [])


@DRAWINGS
def test_baseline_has_one_entry_in_the_legend(make_tables, draw):
    with_one, without = (
        draw(Tables(make_tables(**SETTINGS, **changes)), "digits_vgg", FiguresParams())
        for changes in ({"loss_baseline": 3.5}, {})
    )
    assert legend_of(with_one) == [*legend_of(without), "baseline"]


@DRAWINGS
def test_baseline_far_from_all_curves_is_in_sight(make_tables, draw):
    tables = Tables(make_tables(**SETTINGS, loss_baseline=90.0))
    low, high = draw(tables, "digits_vgg", FiguresParams()).axes[0].get_ylim()
    assert low < 90 < high


def test_legend_keeps_its_columns_with_many_fractions(make_tables):
    tables = Tables(make_tables(**SETTINGS, loss_baseline=3.5, fractions=(0.25, 0.5)))
    entries = legend_of(draw_losses(tables, "digits_vgg", FiguresParams()))
    assert [entry[:8] for entry in entries[::2]] == ["full mod", "top 50% ", "bottom 5", "baseline"]
    assert entries[1::2][::3] == [" ", " "]
