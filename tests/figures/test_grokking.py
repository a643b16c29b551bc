"""The figure of grokking: errors, ranks and spectra of each condition."""

import numpy as np
import pytest
from tests.figures.drawn import draw, legend_of, title_of
from tests.sealed import write_csv

from specflow.errors import SpecflowError
from specflow.frames import Tables, where, write_table

PAIR = "block 1 attention out -> block 1 MLP in"


def test_grokking_has_a_row_for_each_condition_a_line_for_each_seed_and_one_seed_in_full(
    make_tables,
):
    panel = {"experiments": ["b", "a"], "matrix": "layers.1.weight", "x": "step", "scale": "log"}
    settings = {"grokking": panel | {"pair": PAIR}, "experiments": {"b": {"title": "Half of all"}}}
    folder = make_tables(experiments=("a", "b"))
    fig = draw("grokking", folder, **settings)
    rows = np.array(fig.axes[:12]).reshape(3, 4)[:2]
    assert [axes.get_ylabel() for axes in rows[:, 0]] == ["Half of all", "a"]
    assert [axes.get_ylabel() for axes in rows[:, 3]] == ["index i"] * 2
    assert [axes.get_xlabel() for axes in rows[1]] == ["step"] * 4
    assert {axes.get_xscale() for axes in rows.flat} == {"symlog"}
    assert [title_of(axes) for axes in rows[0]] == [
        *("error\nof single seeds", "singular values of\nblock 1 attention in, seed 0"),
        "normalized effective rank\nof all matrices and seeds",
        "alignment, seed 0:\nblock 1: attention out\n→ MLP in",
    ]
    errors, values, ranks, alignment = rows[0]
    assert len(errors.lines) == 2 * 3 + 1  # the last one marks when the shown seed fits
    assert len(ranks.lines) == 5 * 3 + 1
    history = where(Tables(folder)["history"], experiment="b", metric="error", split="train")
    for line, seed in zip(errors.lines, (1, 2, 0), strict=False):  # the shown one on top
        assert line.get_ydata().tolist() == where(history, seed=seed)["value"].tolist()
    widths = [line.get_linewidth() for line in errors.lines[:3]]
    assert widths[2] > widths[0] == widths[1]
    assert values.lines[-2].get_ydata().tolist() == pytest.approx(np.linspace(2, 3, 6), rel=1e-4)
    shown = alignment.collections[0].get_array()[0].tolist()
    assert shown == pytest.approx(np.linspace(0, 1, 6) ** 2, rel=1e-4)
    assert {axes.get_ylim() for axes in rows[:, 2]} == {ranks.get_ylim()}
    assert len(legend_of(fig)) == 5


def test_grokking_marks_when_the_shown_seed_fits_the_validation_data(make_tables):
    folder = make_tables()
    history = Tables(folder)["history"].copy()
    errors = (history["split"] == "validation") & (history["metric"] == "error")
    late = errors & (history["seed"] == 0)
    history.loc[errors, "value"] = np.where(history.loc[errors, "step"] >= 5, 0.0, 1.0)
    history.loc[late, "value"] = np.where(history.loc[late, "step"] >= 20, 0.01, 1.0)
    write_table(folder / "history.csv", history)
    panel = {"experiments": ["vgg"], "matrix": "layers.1.weight", "x": "step", "pair": PAIR}
    row = draw("grokking", folder, grokking=panel).axes[:4]
    assert [axes.lines[-1].get_xdata() for axes in row] == [[20, 20]] * 4


def test_grokking_without_errors_says_so(make_tables):
    folder = make_tables()
    history = folder / "history.csv"
    write_csv(history, history.read_text().replace(",error,", ",loss,"))
    pair = Tables(folder)["pairs"]["pair"][0]
    panel = {"experiments": ["vgg"], "matrix": "layers.1.weight", "pair": pair}
    with pytest.raises(SpecflowError, match="history has no metric 'error' of vgg"):
        draw("grokking", folder, grokking=panel)
