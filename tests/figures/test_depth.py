"""Quantities by depth and role: every matrix has a mark, at its place, in its role's look."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from tests.figures.drawn import draw, final, legend_of

from specflow.figures.depth import add_role_keys, draw_roles, role_looks, scale_wide
from specflow.frames import Tables, where
from specflow.frames import write_table as written

ROLES = ["embedding", "query", "value", "query", "output"]


@pytest.fixture
def folder(make_tables):
    """Checkpoints of three steps whose matrices have roles."""
    folder = make_tables(experiments=(), checkpoints={"public": (0, 10, 20)})
    table = Tables(folder)["matrices"]
    written(folder / "matrices.csv", table.assign(role=ROLES))
    return folder


def points_of(axes) -> dict[tuple[float, float], bool]:
    """Every mark and whether it is filled."""
    return {
        (float(x), float(y)): line.get_markerfacecolor() != "white"
        for line in axes.lines
        for x, y in zip(*line.get_data(), strict=True)
    }


def test_every_matrix_has_a_filled_mark_at_the_last_step_and_a_hollow_one_at_the_first(folder):
    fig = draw("by_depth", folder, "checkpoints")
    rows = where(Tables(folder)["spectra"], experiment="public")
    for axes, name in zip(fig.axes, ("normalized_effective_rank", "stable_rank"), strict=False):
        points = points_of(axes)
        for depth, matrix in enumerate(Tables(folder)["matrices"]["matrix"]):
            last = final(folder, "spectra", name, matrix=matrix)
            first = where(rows, matrix=matrix, step=0)[name].iat[0]
            assert points[depth + 1, last]
            assert not points[depth + 1, first]
    assert legend_of(fig) == ["embedding", "query", "value", "output"]


def test_one_step_has_filled_marks_alone_and_no_role_no_legend(make_tables):
    fig = draw("by_depth", make_tables(experiments=(), checkpoints={"p": (5,)}), "checkpoints")
    assert set(points_of(fig.axes[0]).values()) == {True}
    assert fig.legends == []


def test_roles_have_looks_of_their_own():
    looks = role_looks(f"role {n % 30}" for n in range(60))
    assert len({tuple(look.values()) for look in looks.values()}) == len(looks) == 30
    few = [looks[f"role {n}"] for n in range(11)]
    assert len({look["color"] for look in few}) == len({look["marker"] for look in few}) == 11


@pytest.mark.parametrize("last", [1, 2, 7, 12, 150])
def test_numbers_of_matrices_on_an_axis_begin_at_1(last):
    axes = Figure().subplots()
    draw_roles(axes, pd.DataFrame({"role": "", "depth": range(last), "x": 1.0}), "x")
    ticks = list(axes.get_xticks())
    assert ticks[0] == 1
    assert ticks == sorted({round(tick) for tick in ticks})


def test_undefined_values_are_left_out():
    axes = Figure().subplots()
    rows = pd.DataFrame({"role": "", "depth": range(4), "x": [1.0, np.nan, np.inf, 2.0]})
    draw_roles(axes, rows, "x")
    assert axes.lines[0].get_xdata().tolist() == [1, 4]
    more = pd.DataFrame({"role": ["query", "key"], "depth": [4, 5], "x": [1.0, np.nan]})
    add_role_keys(axes.figure, pd.concat([rows, more]), ["x"])
    assert legend_of(axes.figure) == ["no known role", "query"]


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([1, 2, 3], "linear"),
        ([1, 2, 300], "log"),
        ([0, 2, 300], "symlog"),
        ([-1, 2, 300], "linear"),
        ([0, 0], "linear"),
        ([np.nan], "linear"),
    ],
)
def test_axis_is_logarithmic_where_values_spread_wide(values, scale):
    axes = Figure().subplots()
    scale_wide(axes, pd.Series(values))
    assert axes.get_yscale() == scale
