"""What figures of weight decays, labels and samples show."""

import numpy as np
import pytest
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
from tests.sealed import write_csv

from specflow.figures.style import KEEP_COLOURS, LABEL_COLOURS
from specflow.frames import Tables, write_table

NORM = "frobenius_norm"
METRICS = [
    ({"loss": "loss", "error": "word error"}, ["validation loss", "validation word error"]),
    ({"loss": "noise loss"}, ["validation noise loss", "train noise loss"]),
]


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
    assert legend_of(fig) == ["0", "0.1", "1", "used in all other figures"]
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


def test_rank_stands_against_norm_by_ascending_weight_decay(make_tables):
    folder = make_tables(experiments=tuple(DECAYS), weight_decays=DECAYS)
    ends, matrices, way = draw("rank_and_norm", folder).axes
    means = {
        name: [final(folder, "spectra", column, experiment=name) for column in (NORM, RANK)]
        for name in ASCENDING
    }
    shrinking, joint = ends.lines[:2]
    assert shrinking.get_ydata()[0] == pytest.approx(means["none"][1])
    assert joint.get_xydata() == pytest.approx(np.array(list(means.values())))
    first, _, last = (line.get_xydata() for line in matrices.lines[-3:])
    assert first == pytest.approx(np.tile([1.0, 0.0], (5, 1)))
    of = {"matrix": "layers.3.weight"}
    norms, ranks = (
        [final(folder, "spectra", column, experiment=name, **of) for name in ("none", "strong")]
        for column in (NORM, RANK)
    )
    assert last[3] == pytest.approx([norms[1] / norms[0], ranks[1] - ranks[0]])
    paths = way.lines[::3]
    assert [len(line.get_xydata()) for line in paths] == [6, 6, 6]
    assert paths[2].get_xydata()[-1] == pytest.approx(means["strong"])


def test_a_matrix_that_shrank_to_nothing_stands_at_the_edge(make_tables):
    folder = make_tables(experiments=tuple(DECAYS), weight_decays=DECAYS)
    spectra = Tables(folder)["spectra"].copy()
    gone = (spectra["experiment"] == "strong") & (spectra["matrix"] == "layers.3.weight")
    spectra.loc[gone, NORM] = 0.0
    write_table(folder / "spectra.csv", spectra)
    last = draw("rank_and_norm", folder).axes[1].lines[-1]
    assert last.get_xdata()[3] == 0.001
    assert np.min(last.get_xdata()[[0, 1, 2, 4]]) > 0.001


@pytest.mark.parametrize(("metrics", "shown"), METRICS, ids=["two", "one"])
def test_metrics_on_the_way_are_those_that_figures_show_by_what_people_call_them(
    make_tables, metrics, shown
):
    called = dict.fromkeys(DECAYS, metrics)
    folder = make_tables(experiments=tuple(DECAYS), weight_decays=DECAYS, metrics=called)
    lower = draw("weight_decay", folder).axes[4:]
    assert [title_of(axes).replace("\n", " ") for axes in lower[2:]] == shown


def test_comparisons_without_pairs_or_pruning_are_drawn(make_tables):
    world = {"experiments": tuple(DECAYS), "with_pairs": False, "fractions": ()}
    decays, labels = (draw(kind, make_tables(**world)) for kind in ("weight_decay", "labels"))
    assert "null level not defined" in title_of(decays.axes[2])
    assert any("no middle pairs" in title_of(axes) for axes in labels.axes)


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


@pytest.mark.parametrize(("count", "rows", "columns"), [(1, 1, 1), (2, 1, 2), (5, 2, 3)])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_fill_a_square_row_by_row(make_tables, count, rows, columns, channels):
    folder = make_tables(
        samples=("faces",), num_images=count, channels=channels, fractions=(0.1, 0.5)
    )
    fig = draw("samples", folder)
    assert [title_of(axes).partition("\n")[0] for axes in fig.axes] == [
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
    write_csv(table, "\n".join(lines) + "\n")
    fig = draw("samples", folder)
    full, *pruned = (axes.images[0].get_array() for axes in fig.axes)
    assert (full == 255).all()
    assert "none is finite" in title_of(fig.axes[0])
    pixels = np.full((6, 6), 100)
    pixels[0, 0] = 0
    assert f"brightness {pixels.mean() / 255:.0%}" in title_of(fig.axes[1])
    assert all((mosaic < 255).any() for mosaic in pruned)
