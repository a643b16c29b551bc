"""What figures of weight decays, labels, tickets and samples show."""

import numpy as np
import pytest
from tests.figures.conftest import LABELS
from tests.figures.drawn import (
    ASCENDING,
    DECAYS,
    RANK,
    colours_of,
    draw,
    final,
    legend_of,
    title_of,
)

from specflow.figures.comparisons import decay_label
from specflow.figures.style import KEEP_COLOURS, KIND_LOOKS, LABEL_COLOURS
from specflow.frames import Tables


def test_ends_of_training_stand_by_ascending_weight_decay_and_the_base_is_marked(make_tables):
    folder = make_tables(experiments=tuple(DECAYS), weight_decays=DECAYS)
    fig = draw("weight_decay", folder)
    rank, norm, alignment, loss = fig.axes[:4]
    for axes, table, column in (
        *((rank, "spectra", RANK), (norm, "spectra", "frobenius_norm")),
        (alignment, "alignment", "alignment_score"),
    ):
        assert [text.get_text() for text in axes.get_xticklabels()] == ["0", "0.1", "1"]
        expected = [final(folder, table, column, experiment=name) for name in ASCENDING]
        assert axes.lines[0].get_ydata().tolist() == pytest.approx(expected)
    (band,) = rank.patches
    assert (band.get_x(), band.get_width()) == (0.5, 1.0)
    widths = [line.get_linewidth() for line in fig.axes[4].lines]
    assert widths[1] > widths[0] == widths[2]
    assert legend_of(fig) == ["0", "0.1", "1", "base, base"]
    dots = [line.get_ydata() for line in rank.lines if line.get_marker() == "."]
    low, high = rank.get_ylim()
    assert [len(own) for own in dots] == [3, 3, 3]
    assert low <= np.min(dots) <= np.max(dots) <= high
    joints = [line for line in loss.lines if line.get_marker() == "None"]
    assert [line.get_color() for line in joints] == [
        KEEP_COLOURS[keep] for keep in ("full", "top", "bottom")
    ]
    top = {"split": "validation", "metric": "loss", "keep": "top"}
    expected = [final(folder, "pruning", "value", experiment=name, **top) for name in ASCENDING]
    assert joints[1].get_ydata().tolist() == pytest.approx(expected)


def test_comparisons_without_pairs_or_pruning_are_drawn(make_tables):
    world = {"experiments": tuple(DECAYS), "with_pairs": False, "fractions": ()}
    decays, labels = (draw(kind, make_tables(**world)) for kind in ("weight_decay", "labels"))
    assert "null level not defined" in title_of(decays.axes[2])
    assert any("no middle pairs" in title_of(axes) for axes in labels.axes)


@pytest.mark.parametrize(
    ("decay", "label"), [(0.0, "0"), (1e-4, "1e-4"), (0.01, "0.01"), (0.1, "0.1"), (10.0, "10")]
)
def test_weight_decays_are_short(decay, label):
    assert decay_label(decay) == label


def test_labels_have_their_colours_and_middle_pairs_leave_out_the_outer_two(make_tables):
    folder = make_tables(experiments=("base", "none"))
    fig = draw("labels", folder)
    panels = {axes.get_label(): axes for axes in fig.axes}
    for name in ("rank", "alignment", "train", "validation"):
        assert colours_of(panels[name])[:2] == list(LABEL_COLOURS.values())
    middle = list(Tables(folder)["pairs"]["pair"].unique()[1:-1])
    for line, name in zip(panels["alignment"].lines, ("base", "none"), strict=False):
        expected = final(folder, "alignment", "alignment_score", experiment=name, pair=middle)
        assert line.get_ydata()[-1] == pytest.approx(expected)
    assert len(panels["matrices"].containers) == 10
    rank = final(folder, "spectra", RANK, experiment="base", matrix="layers.0.weight")
    assert panels["matrices"].containers[0].lines[0].get_xdata()[0] == pytest.approx(rank)


def test_tickets_have_a_curve_in_every_panel_beside_source_or_null(make_tables):
    tickets = {kind: (kind, 0.05, 5) for kind in reversed(KIND_LOOKS)}
    folder = make_tables(tickets=tickets)
    fig = draw("tickets", folder)
    masks, agreement, *metrics = fig.axes
    colours = [colour for colour, _ in KIND_LOOKS.values()]
    assert colours_of(masks)[:-1] == colours_of(agreement)[:-1] == colours
    labels = [text.get_text() for text in masks.get_yticklabels()]
    assert labels == list(LABELS)
    first = final(folder, "ticket_spectra", "agreement_score", ticket="magnitude")
    assert agreement.lines[0].get_ydata()[-1] == pytest.approx(first)
    for axes, metric in zip(metrics, ("loss", "error"), strict=True):
        assert title_of(axes) == f"validation {metric}"
        assert colours_of(axes)[1:] == colours
        assert axes.lines[0].get_xdata()[0] == 0
        assert axes.lines[1].get_xdata().tolist() == [0.5, 1, 2, 3]
    assert legend_of(fig)[-2:] == ["source", "unrelated matrices (null level 0.004)"]


def test_tickets_are_told_apart_by_density_and_by_rewind_step(make_tables):
    tickets = {
        f"{kind}_{step}": (kind, 0.05, step) for step in (5, 10) for kind in ("random", "magnitude")
    }
    tickets["dense"] = ("magnitude", 0.5, 5)
    fig = draw("tickets", make_tables(tickets=tickets))
    assert legend_of(fig)[:5] == [
        "magnitude, 50% of weights, from step 5",
        "magnitude, 5% of weights, from step 5",
        "magnitude, 5% of weights, from step 10",
        "random, 5% of weights, from step 5",
        "random, 5% of weights, from step 10",
    ]
    dense, sparse, _, other = fig.axes[1].lines[:4]
    assert dense.get_color() == sparse.get_color() != other.get_color()
    assert dense.get_linestyle() != sparse.get_linestyle() == other.get_linestyle()


@pytest.mark.parametrize(("count", "rows", "columns"), [(1, 1, 1), (2, 1, 2), (5, 2, 3)])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_fill_a_square_row_by_row(make_tables, count, rows, columns, channels):
    folder = make_tables(
        samples=("faces",), num_images=count, channels=channels, fractions=(0.1, 0.5)
    )
    fig = draw("samples", folder)
    assert [title_of(axes) for axes in fig.axes] == [
        *("full model", "top 50% of the spectrum kept", "bottom 50% of the spectrum kept")
    ]
    for axes in fig.axes:
        mosaic = np.asarray(axes.images[0].get_array())
        assert mosaic.shape[:2] == (rows * 8 - 2, columns * 8 - 2)
        corners = mosaic[::8, ::8].reshape(rows * columns, -1)[:, 0]
        assert corners.tolist() == [*range(count), *[255] * (rows * columns - count)]


def test_image_that_is_not_finite_is_white(make_tables):
    folder = make_tables(samples=("faces",), num_images=1)
    table = folder / "samples.csv"
    lines = table.read_text().splitlines()
    lines[1] = lines[1].rpartition(",")[0] + ","
    table.write_text("\n".join(lines) + "\n")
    full, *pruned = (axes.images[0].get_array() for axes in draw("samples", folder).axes)
    assert (full == 255).all()
    assert all((mosaic < 255).any() for mosaic in pruned)
