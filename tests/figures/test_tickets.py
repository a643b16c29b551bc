"""What lands on the axes of the figure of tickets, read back from the artists."""

import numpy as np
import pytest

from specflow.figures.draw import draw_all
from specflow.figures.style import KIND_LOOKS
from specflow.figures.tickets import draw_tickets
from specflow.params.figures import FiguresParams
from specflow.params.groups import Groups
from specflow.tables.reading import Tables

KINDS = ("magnitude", "random", "reinitialized")
TICKETS = {kind: ("digits_vgg", kind, 0.05, 10) for kind in reversed(KINDS)}


@pytest.fixture
def world(make_tables):
    """A function that returns the tables of one experiment with tickets."""

    def make(tickets=TICKETS, **settings) -> Tables:
        defaults = {"experiments": ("digits_vgg",), "connections": {}, "num_checkpoints": 6}
        return Tables(make_tables(tickets=tickets, **defaults | settings))

    return make


def labels_of(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_every_kind_has_a_curve_in_every_panel_beside_source_or_null(world):
    masks, agreement, *metrics = draw_tickets(world(), "digits_vgg", FiguresParams()).axes
    colours = [KIND_LOOKS[kind][0] for kind in KINDS]
    for axes in (masks, agreement):
        assert [line.get_color() for line in axes.lines[:-1]] == colours
    assert [axes.get_title() for axes in metrics] == [
        "validation loss",
        "validation error",
    ]
    for axes in metrics:
        assert [line.get_color() for line in axes.lines[1:]] == colours
        assert axes.lines[0].get_xdata()[0] == 0
        assert axes.lines[1].get_xdata().tolist() == [1.0, 2.0]


def test_masks_show_the_mean_over_seeds_of_every_masked_layer(world):
    tables = world()
    axes = draw_tickets(tables, "digits_vgg", FiguresParams()).axes[0]
    labels = [text.get_text() for text in axes.get_yticklabels()]
    assert len(labels) == 7
    assert labels[-1] == "linear 7"  # the output layer has no mask
    rows = tables["ticket_masks"].where(ticket="magnitude", matrix="layers.2.weight")
    expected = rows.numbers("masked_agreement_score").mean()
    assert axes.lines[0].get_xdata()[2] == pytest.approx(expected)
    np.testing.assert_allclose(axes.lines[-1].get_xdata(), 0.004)


def test_agreement_is_the_mean_over_matrices(world):
    tables = world()
    axes = draw_tickets(tables, "digits_vgg", FiguresParams()).axes[1]
    rows = tables["ticket_spectra"].where(ticket="random", step=20)
    found = axes.lines[1].get_ydata()[-1]
    assert found == pytest.approx(rows.numbers("agreement_score").mean())


def test_densities_are_told_apart_by_dashes_and_kinds_by_colours(world):
    tickets = {
        f"{kind}_{density}": ("digits_vgg", kind, density, 10)
        for density in (0.001, 0.1)
        for kind in ("random", "magnitude")
    }
    figure = draw_tickets(world(tickets), "digits_vgg", FiguresParams())
    assert labels_of(figure)[:4] == [
        "magnitude, 10% of weights",
        "magnitude, 0.1% of weights",
        "random, 10% of weights",
        "random, 0.1% of weights",
    ]
    dense, sparse, other, _ = figure.axes[1].lines[:4]
    assert dense.get_color() == sparse.get_color() != other.get_color()
    assert dense.get_linestyle() == other.get_linestyle() != sparse.get_linestyle()


def test_rewind_steps_are_named_where_there_are_several(world):
    tickets = {f"t{step}": ("digits_vgg", "magnitude", 0.05, step) for step in (5, 10)}
    figure = draw_tickets(world(tickets), "digits_vgg", FiguresParams())
    assert labels_of(figure)[:2] == [
        "magnitude, 5% of weights, from step 5",
        "magnitude, 5% of weights, from step 10",
    ]
    assert labels_of(figure)[2:] == ["source", "unrelated matrices (null level 0.004)"]


def test_every_source_has_a_figure_and_no_other_experiment(make_tables, tmp_path):
    settings = {"connections": {}, "num_checkpoints": 4, "num_matrices": 2, "fractions": ()}
    tables = make_tables(experiments=("digits_vgg", "grokking"), tickets=TICKETS, **settings)
    groups = Groups(weight_decay={}, labels={})
    drawn = draw_all(tables, tmp_path / "figures", FiguresParams(dpi=50), groups)
    names = [entry.subject for entry in drawn if entry.kind == "tickets"]
    assert names == ["digits_vgg"]


@pytest.mark.parametrize(
    "settings",
    [{"seeds": (0,), "num_matrices": 2}, {"num_checkpoints": 5, "undefined_agreement": True}],
    ids=str,
)
def test_unusual_tables_are_drawn(world, settings):
    """One seed; a single layer with a mask; a ticket from the last kept step but none."""
    figure = draw_tickets(world(**settings), "digits_vgg", FiguresParams())
    figure.draw_without_rendering()
    assert len(figure.axes) == 4
