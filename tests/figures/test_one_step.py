"""Figures of a single step: nothing is drawn over time, of which there is none."""

import numpy as np
import pandas as pd
import pytest
from tests.figures.drawn import GROUPS, draw, title_of

from specflow.figures.registry import kinds
from specflow.figures.section import FiguresParams
from specflow.figures.subjects import subjects
from specflow.frames import Tables, write_table


@pytest.fixture
def folder(make_tables):
    """A single step of checkpoints, with its noise and its heads."""
    folder = make_tables(experiments=(), checkpoints={"public": (16000,)})
    spectra = Tables(folder)["spectra"]
    edges = {"noise_lower_edge": 0.0, "noise_upper_edge": 0.3, "num_outliers": spectra.index + 1}
    write_table(folder / "spectra.csv", spectra.assign(**edges))
    pair = Tables(folder)["pairs"]["pair"][0]
    heads = {"experiment": "public", "seed": 0, "step": 16000, "pair": pair, "head": range(4)}
    ranks = {"effective_rank": [4.0, 3.0, np.nan, 1.0], "spectral_norm": 1.0}
    write_table(folder / "heads.csv", pd.DataFrame(heads | ranks))
    return folder


def drawn(folder) -> set[str]:
    tables = Tables(folder)
    (subject,) = subjects("checkpoints", tables, FiguresParams(), GROUPS)
    return {n for n, k in kinds().items() if "checkpoints" in k.of and k.when(tables, subject)}


def test_one_step_has_its_spectrum_and_no_figure_of_what_changes(folder, make_tables):
    over_time = {"effective_rank", "singular_values", "quantities", "changes"}
    of_one = drawn(folder)
    assert "spectrum" in of_one
    assert not over_time & of_one
    of_several = drawn(make_tables(experiments=(), checkpoints={"public": (0, 10)}))
    assert of_several >= over_time
    assert "spectrum" not in of_several


def test_spectrum_has_every_index_of_the_table_and_the_edge_of_noise(folder):
    (axes,) = draw("spectrum", folder, "checkpoints").axes
    values, edge = axes.lines
    rows = Tables(folder)["singular_values"]
    rows = rows[rows["matrix"] == rows["matrix"].unique()[-1]]
    assert values.get_xdata().tolist() == rows["index"].tolist()
    assert values.get_ydata().tolist() == rows["mean"].tolist()
    assert edge.get_ydata()[0] == 0.3
    assert axes.get_xlabel() == "index i (1 = largest)"


def test_quantities_of_one_step_are_drawn_against_depth(folder):
    fig = draw("noise", folder, "checkpoints")
    axes = next(axes for axes in fig.axes if title_of(axes) == "outliers of noise")
    points = [p for line in axes.lines for p in zip(*line.get_data(), strict=True)]
    assert sorted(points) == [(n, n) for n in range(1, 6)]
    assert axes.get_xlabel() == "depth (number of the matrix)"


def test_heads_of_one_step_have_a_mark_each(folder):
    axes = draw("heads", folder, "checkpoints").axes[0]
    marks = [line for line in axes.lines if line.get_marker() == "."]
    assert np.concatenate([line.get_ydata() for line in marks])[[0, 1, 3]].tolist() == [4, 3, 1]
    assert np.concatenate([line.get_xdata() for line in marks]).tolist() == [0, 1, 2, 3]
    assert axes.get_xlabel() == "head"
