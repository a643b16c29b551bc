"""Texts that fit and mean themselves."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from specflow.errors import SpecflowError
from specflow.figures.style import (
    column_titles,
    metric_title,
    new_figure,
    null_text,
    plain,
    save,
    short_pair,
    shortened,
)


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
    assert null_text(pd.Series(nulls, dtype=float)) == text


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


def test_metrics_are_told_in_words():
    assert metric_title("train", "bits_per_byte") == "train bits per byte"


def test_long_labels_lose_their_middle():
    assert shortened("short $label$") == "short $label$"
    label = shortened("start" + 100 * "." + "end")
    assert (len(label), label[:6], label[-4:]) == (60, "start.", ".end")


def test_dollars_are_drawn_as_they_are():
    text = Figure().text(0, 0, plain(r"$\frac{no mathematics$"))
    assert text._preprocess_math(text.get_text()) == (r"$\frac{no mathematics$", False)


def test_titles_are_broken_and_their_parts_end_at_one_height():
    columns = [("a", "x")] * 4 + [("a_name_that_is_long", "one two"), ("b", "conv 1 -> conv 2 b")]
    titles = column_titles(columns)
    assert titles[0] == "\na\n\nx"
    assert titles[4] == "a_name_that_is_\nlong\n\none two"
    assert titles[5] == "\nb\nconv 1 -> conv 2\nb"
    assert column_titles([("a_name_that_is_long",), ("",)]) == ["a_name_that_is_long", ""]


def test_panels_stand_where_the_last_bits_of_the_layout_do_not_matter(tmp_path):
    figure = new_figure()
    upper, _ = figure.subfigures(2, 1)
    panels = [*upper.subplots(1, 3), *figure.subplots(2, 3).flat]
    panels[0].set_title("a panel")
    start = panels[0].get_position().bounds
    save(figure, tmp_path / "figure.png", dpi=20)
    places = np.array([axes.get_position(original=True).bounds for axes in panels])
    np.testing.assert_array_equal(places, np.round(places, 9))
    assert not np.allclose(places[0], start, rtol=0.01)  # they were laid out


def test_a_figure_that_cannot_be_written_is_named_and_the_one_before_stays(tmp_path, monkeypatch):
    path, figure = tmp_path / "figure.png", new_figure()
    save(figure, path, dpi=20)
    before = path.read_bytes()

    def fail(place, **_):
        place.write_bytes(before[:9])
        raise OSError("No space left")

    monkeypatch.setattr(figure, "savefig", fail)
    with pytest.raises(SpecflowError, match=r"cannot write .*figure\.png: No space left"):
        save(figure, path, dpi=20)
    assert [one.read_bytes() for one in tmp_path.iterdir()] == [before]
