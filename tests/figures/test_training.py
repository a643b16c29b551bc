"""Figures of a watched training: all steps that leading values have, and losses were given of."""

import itertools

import numpy as np
import pandas as pd
import pytest
from tests.figures.drawn import draw, legend_of, title_of

from specflow.figures import subjects
from specflow.frames import Tables, write_table
from specflow.studies.checkpoints.training import SCORES

STEPS = [*range(0, 101, 10)]


@pytest.fixture
def folder(make_tables):
    folder = make_tables(experiments=(), checkpoints={"own": (0, 100)})
    tables = Tables(folder)
    names, pairs = (
        tables[table][key] for table, key in (("matrices", "matrix"), ("pairs", "pair"))
    )
    rows = [
        ("own", step, name, *(place + step + n for n in range(len(SCORES))))
        for place, name in enumerate(names)
        for step in STEPS
    ]
    columns = ["experiment", "step", "matrix", *SCORES]
    write_table(folder / "leading.csv", pd.DataFrame(rows, columns=columns))
    values = [("own", names[2], step, i, step / i) for step in STEPS for i in range(1, 11)]
    columns = ["experiment", "matrix", "step", "index", "singular_value"]
    write_table(folder / "leading_values.csv", pd.DataFrame(values, columns=columns))
    rows = [("own", step, pair, step / 200) for pair in pairs for step in STEPS]
    columns = ["experiment", "step", "pair", "alignment_score"]
    write_table(folder / "leading_alignment.csv", pd.DataFrame(rows, columns=columns))
    rows = [
        ("own", step, name, step if step != 50 else np.nan)
        for name, step in itertools.product(("loss", "val/$loss"), STEPS)
    ]
    columns = ["experiment", "step", "metric", "value"]
    write_table(folder / "given.csv", pd.DataFrame(rows, columns=columns))
    return folder


def test_leading_values_have_every_step_and_matrix(folder):
    drawn = draw("leading", folder).axes
    axes = {" ".join(title_of(one).split()): one for one in drawn}
    label = Tables(folder)["matrices"]["label"][2]
    lines = axes[f"ten largest of {label}"].lines
    assert len(lines) == 10
    for line in lines:
        assert line.get_xdata().tolist() == STEPS
    ends = sorted(line.get_ydata()[-1] for line in lines)
    assert ends == pytest.approx([100 / index for index in range(10, 0, -1)], rel=1e-4)
    names = ("spectral norm", "stable rank", "agreement with the first step")
    for title, add in zip((*names, "agreement with the step before"), (0, 2, 3, 4), strict=True):
        found = [line.get_ydata().tolist() for line in axes[title].lines]
        count = len(Tables(folder)["matrices"])
        assert found == [[place + step + add for step in STEPS] for place in range(count)]
    pairs = axes["alignment of pairs"].lines
    assert len(pairs) == len(Tables(folder)["pairs"])
    assert pairs[0].get_ydata().tolist() == [step / 200 for step in STEPS]


def test_very_many_matrices_are_bands_with_a_legend(folder, monkeypatch):
    monkeypatch.setattr(subjects, "MOST_LINES", 2)
    fig = draw("leading", folder)
    assert legend_of(fig) == ["median", "middle half", "middle 90%"]


def test_numbers_that_were_given_have_a_panel_each_and_no_gap(folder):
    first, second = draw("given", folder).axes
    assert [title_of(axes) for axes in (first, second)] == ["loss", r"val/\$loss"]
    for axes in (first, second):
        (line,) = axes.lines
        assert line.get_xdata().tolist() == [step for step in STEPS if step != 50]
        assert axes.get_xlabel() == "step"


def test_without_pairs_or_leading_values_there_is_none_of_them(folder):
    (folder / "leading_alignment.csv").unlink()
    titles = [title_of(axes) for axes in draw("leading", folder).axes]
    assert "alignment of pairs" not in titles
