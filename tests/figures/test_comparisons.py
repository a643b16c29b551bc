"""Weight decays, labels and errors: what lands on the axes, read back from the artists."""

import numpy as np
import pytest
from matplotlib.colors import same_color

from specflow.figures.errors import draw_errors
from specflow.figures.labels import draw_labels
from specflow.figures.style import KEEP_COLOURS, LABEL_COLOURS, SPLIT_COLOURS
from specflow.figures.weight_decay import decay_label, draw_weight_decay
from specflow.params.figures import FiguresParams
from specflow.params.groups import DecaySeries, LabelPair
from specflow.tables.reading import Tables

# by name, as in a config file: not by weight decay
DECAYS = {"base": 0.1, "none": 0.0, "strong": 1.0}
SERIES = DecaySeries(base="base", weight_decays=DECAYS)
PAIR = LabelPair(true_labels="base", random_labels="memorizing")


@pytest.fixture
def folder(make_tables):
    return make_tables(
        experiments=("base", "none", "strong", "memorizing"),
        connections={},
        weight_decays=DECAYS,
        random_labels=("memorizing",),
        num_checkpoints=8,
        num_matrices=5,
    )


def final(tables: Tables, table: str, column: str, **rows) -> np.ndarray:
    """Return the value of each seed at the last step, in a naive way."""
    own = tables[table].where(step=40, **rows)
    return np.array([own.where(seed=seed).numbers(column).mean() for seed in (0, 1, 2)])


def means_on(axes) -> list[float]:
    """Return the ordinates of the line that joins the means."""
    return axes.lines[0].get_ydata().tolist()


def test_ends_stand_by_ascending_weight_decay(folder):
    tables = Tables(folder)
    rank, norm, alignment, loss = draw_weight_decay(tables, SERIES, FiguresParams()).axes[:4]
    for axes in (rank, norm, alignment, loss):
        assert [text.get_text() for text in axes.get_xticklabels()] == ["0", "0.1", "1"]
    for axes, table, column in (
        (rank, "spectra", "normalized_effective_rank"),
        (norm, "spectra", "frobenius_norm"),
        (alignment, "alignment", "alignment_score"),
    ):
        expected = [
            final(tables, table, column, experiment=name).mean()
            for name in ("none", "base", "strong")
        ]
        assert means_on(axes) == pytest.approx(expected)
    assert means_on(rank) == sorted(means_on(rank), reverse=True)


def test_every_seed_is_a_dot_and_within_the_axes(folder):
    tables = Tables(folder)
    for axes, column in zip(
        draw_weight_decay(tables, SERIES, FiguresParams()).axes,
        ("normalized_effective_rank", "frobenius_norm"),
        strict=False,
    ):
        dots = [line.get_ydata() for line in axes.lines if line.get_marker() == "."]
        expected = [
            final(tables, "spectra", column, experiment=name) for name in ("none", "base", "strong")
        ]
        np.testing.assert_allclose(dots, expected)
        low, high = axes.get_ylim()
        assert low <= np.min(dots)
        assert np.max(dots) <= high


def test_pruned_losses_at_the_end_are_those_of_the_tables(folder):
    tables = Tables(folder)
    axes = draw_weight_decay(tables, SERIES, FiguresParams()).axes[3]
    joints = [line for line in axes.lines if line.get_marker() == "None"]
    assert [line.get_color() for line in joints] == list(KEEP_COLOURS.values())
    for line, keep in zip(joints, KEEP_COLOURS, strict=True):
        rows = {"split": "validation", "metric": "loss", "keep": keep}
        expected = [
            final(tables, "pruning", "value", experiment=name, **rows).mean()
            for name in ("none", "base", "strong")
        ]
        assert line.get_ydata().tolist() == pytest.approx(expected)


def test_the_base_is_wide_in_time_and_marked_at_the_end(folder):
    figure = draw_weight_decay(Tables(folder), SERIES, FiguresParams())
    over_time = figure.axes[4]
    widths = [line.get_linewidth() for line in over_time.lines]
    assert widths.index(max(widths)) == 1
    assert widths[0] == widths[2]
    (band,) = figure.axes[0].patches
    assert (band.get_x(), band.get_width()) == (0.5, 1.0)
    shades = [line.get_color() for line in over_time.lines]
    assert np.all(np.diff([sum(shade[:3]) for shade in shades]) < 0)


def test_a_series_without_pairs_or_pruning_is_drawn(folder):
    for name in ("pairs", "alignment", "alignment_diagonal", "pruning"):
        table = folder / f"{name}.csv"
        table.write_text(table.read_text().splitlines()[0] + "\n")
    figure = draw_weight_decay(Tables(folder), SERIES, FiguresParams())
    assert "null level not defined" in figure.axes[2].get_title()
    rows = {"split": "validation", "metric": "loss"}
    full = [
        final(Tables(folder), "history", "value", experiment=name, **rows).mean()
        for name in ("none", "base", "strong")
    ]
    assert means_on(figure.axes[3]) == pytest.approx(full)
    figure = draw_labels(Tables(folder), PAIR, FiguresParams())
    assert any("no middle pairs" in axes.get_title() for axes in figure.axes)


@pytest.mark.parametrize(
    ("decay", "label"),
    [(0.0, "0"), (1e-4, "1e-4"), (5e-4, "5e-4"), (0.01, "0.01"), (0.1, "0.1"), (10.0, "10")],
)
def test_weight_decays_are_short(decay, label):
    assert decay_label(decay) == label


def test_labels_have_their_colours_and_middle_pairs_leave_out_the_outer_two(folder):
    tables = Tables(folder)
    figure = draw_labels(tables, PAIR, FiguresParams())
    panels = {axes.get_label(): axes for axes in figure.axes}
    for name in ("rank", "alignment", "train", "validation"):
        colours = [line.get_color() for line in panels[name].lines[:2]]
        assert colours == list(LABEL_COLOURS.values())
    pairs = tables["pairs"].where(experiment="base").column("pair").tolist()
    for line, name in zip(panels["alignment"].lines, ("base", "memorizing"), strict=False):
        middle = [
            final(tables, "alignment", "alignment_score", experiment=name, pair=pair).mean()
            for pair in pairs[1:-1]
        ]
        assert line.get_ydata()[-1] == pytest.approx(np.mean(middle))


def test_labels_show_every_matrix_at_the_end(folder):
    tables = Tables(folder)
    axes = next(a for a in draw_labels(tables, PAIR, FiguresParams()).axes if len(a.containers))
    assert len(axes.get_yticklabels()) == 5
    assert len(axes.containers) == 10
    drawn = axes.containers[0].lines[0].get_xdata()[0]
    ranks = final(
        tables, "spectra", "normalized_effective_rank", experiment="base", matrix="layers.0.weight"
    )
    assert drawn == pytest.approx(ranks.mean())


def test_errors_have_a_panel_an_experiment_on_one_axis(make_tables):
    names = ("a", "b", "c", "d", "e", "f")
    tables = Tables(make_tables(experiments=names, connections={}, num_checkpoints=3))
    figure = draw_errors(tables, names, FiguresParams())
    drawn = [axes for axes in figure.axes if axes.lines]
    assert [axes.get_title() for axes in drawn] == list(names)
    assert len({axes.get_ylim() for axes in drawn}) == 1
    for axes in drawn:
        pairs = zip(axes.lines, SPLIT_COLOURS.values(), strict=True)
        assert all(same_color(line.get_color(), colour) for line, colour in pairs)
    assert "off the axis" not in figure.get_suptitle()


def test_errors_above_one_are_owned_up_to(make_tables):
    folder = make_tables(experiments=("a",), connections={}, num_checkpoints=3)
    table = folder / "history.csv"
    table.write_text(table.read_text() + "a,0,99,9.9,train,error,1.4\n")
    figure = draw_errors(Tables(folder), ("a",), FiguresParams())
    assert figure.get_suptitle().endswith("above 1 off the axis")
