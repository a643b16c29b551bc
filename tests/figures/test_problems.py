"""Columns of several experiments: what they share, and what fits."""

import numpy as np
import pytest
from matplotlib.collections import LineCollection, QuadMesh

from specflow.figures.columns import column_titles
from specflow.figures.diagonals import AGREEMENT, ALIGNMENT
from specflow.figures.problems_directions import draw_problems_directions
from specflow.figures.problems_pruning import draw_problems_pruning
from specflow.figures.problems_spectra import draw_problems_spectra
from specflow.figures.style import KEEP_COLOURS
from specflow.params.figures import FiguresParams
from specflow.tables.reading import Tables

NAMES = ("digits_vgg", "grokking_no_decay", "grokking")
PARAMS = FiguresParams.model_validate(
    {"experiments": {"grokking": {"x": "step", "matrix": "layers.1.weight"}}}
)


@pytest.fixture
def tables(make_tables) -> Tables:
    return Tables(make_tables(experiments=NAMES, connections={}, num_checkpoints=6))


def panels_of(figure) -> np.ndarray:
    return np.array(figure.axes[: 2 * len(NAMES)]).reshape(2, len(NAMES))


def meshes_of(figure) -> list[QuadMesh]:
    panels = panels_of(figure).ravel()
    return [one for axes in panels for one in axes.collections if isinstance(one, QuadMesh)]


def test_each_column_names_its_experiment_and_matrix_and_has_its_own_time(tables):
    panels = panels_of(draw_problems_spectra(tables, NAMES, PARAMS))
    titles = [axes.get_title(loc="left") or axes.get_title() for axes in panels[0]]
    assert titles == [
        "digits_vgg\nblock 1 MLP out",
        "grokking_no_decay\nblock 1 MLP out",
        "grokking\nblock 1 attention in",
    ]
    assert [axes.get_xlabel() for axes in panels[1]] == ["epoch", "epoch", "step"]
    assert [axes.get_xlim()[1] for axes in panels[1]] == [2, 2, 20]


def test_ranks_have_one_colour_scale_and_depth_is_numbered(tables):
    figure = draw_problems_spectra(tables, NAMES, PARAMS)
    meshes = meshes_of(figure)
    assert len(meshes) == len(NAMES)
    assert len({mesh.get_clim() for mesh in meshes}) == 1
    (labels,) = {
        tuple(text.get_text() for text in axes.get_yticklabels()) for axes in panels_of(figure)[1]
    }
    assert labels == ("1", "8")


def test_a_singular_value_has_one_colour_in_all_columns(make_tables):
    folder = make_tables(experiments=NAMES, connections={}, num_checkpoints=3, num_values=8)
    table = folder / "singular_values.csv"
    rows = table.read_text().splitlines()
    # one matrix has but three singular values
    kept = [row for row in rows if not row.startswith("digits_vgg") or row.split(",")[4] in "123"]
    table.write_text("\n".join(kept) + "\n")
    panels = panels_of(draw_problems_spectra(Tables(folder), NAMES, PARAMS))
    colours = [
        one.get_colors()[::-1]  # the first is drawn last
        for axes in panels[0]
        for one in axes.collections
        if isinstance(one, LineCollection)
    ]
    assert [len(own) for own in colours] == [3, 8, 8]
    np.testing.assert_array_equal(colours[0], colours[1][:3])


def test_pruning_has_training_above_validation_in_the_colours_of_what_is_kept(tables):
    panels = panels_of(draw_problems_pruning(tables, NAMES, PARAMS))
    for axes in panels.ravel():
        assert [line.get_color() for line in axes.lines] == list(KEEP_COLOURS.values())
    assert [axes.get_ylabel() for axes in panels[:, 0]] == ["train loss", "validation loss"]
    loss = tables["pruning"].where(
        experiment="grokking", split="validation", keep="top", metric="loss", step=20
    )
    drawn = panels[1, 2].lines[1].get_ydata()[-1]
    assert drawn == pytest.approx(loss.numbers("value").mean())
    assert panels[0, 0].get_ylim() == panels[1, 0].get_ylim()


@pytest.mark.parametrize("quantity", [ALIGNMENT, AGREEMENT], ids=lambda one: one.name)
def test_all_panels_of_directions_share_colours_and_say_null_levels(tables, quantity):
    figure = draw_problems_directions(quantity, tables, NAMES, PARAMS)
    meshes = meshes_of(figure)
    assert len(meshes) == 2 * len(NAMES)
    assert len({mesh.get_clim() for mesh in meshes}) == 1
    for axes in panels_of(figure).ravel():
        assert "null level 0." in (axes.get_title(loc="left") or axes.get_title())


def test_scores_below_are_those_of_the_tables(tables):
    mesh = meshes_of(draw_problems_directions(ALIGNMENT, tables, NAMES, PARAMS))[-1]
    rows = tables["alignment"].where(experiment="grokking", step=20)
    first = rows.where(pair="embedding -> block 1 attention in").numbers("alignment_score")
    assert mesh.get_array().reshape(7, -1)[0, -1] == pytest.approx(first.mean())


def test_titles_are_broken_and_their_parts_end_at_one_height():
    columns = [("a", "x")] * 4 + [("a_name_that_is_long", "one two"), ("b", "conv 1 -> conv 2 b")]
    titles = column_titles(columns)
    assert titles[0] == "\na\n\nx"
    assert titles[4] == "a_name_that_is_\nlong\n\none two"
    assert titles[5] == "\nb\nconv 1 -> conv 2\nb"
    assert column_titles([("a_name_that_is_long",)]) == ["a_name_that_is_long"]
