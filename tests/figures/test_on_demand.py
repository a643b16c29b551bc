"""Figures of what is measured on demand: there if the tables have it, a panel for each number."""

import numpy as np
import pandas as pd
import pytest
from tests.figures.drawn import GROUPS, draw, legend_of, title_of

from specflow.figures.registry import kinds
from specflow.figures.section import FiguresParams
from specflow.figures.spectra import OF_MANY
from specflow.figures.subjects import MOST_LINES, subjects
from specflow.frames import Tables, write_table
from specflow.spectra import QUANTITIES

FAMILIES = {
    "noise": ("random_matrix", "permuted"),
    "power_laws": ("power_law",),
    "change_spectra": ("changes",),
}


def names_of(kind: str) -> list[str]:
    return [name for name, one in QUANTITIES.items() if one.family in FAMILIES[kind]]


def with_more(folder, names) -> pd.DataFrame:
    """Add columns to the table of spectra; the first two steps have no value."""
    table = Tables(folder)["spectra"].copy()
    for place, name in enumerate(names):
        table[name] = np.where(table["step"] > 2, place + 0.1 * table["step"], np.nan)
    write_table(folder / "spectra.csv", table)
    return table


def is_drawn(kind: str, folder) -> bool:
    tables = Tables(folder)
    (subject,) = subjects("experiment", tables, FiguresParams(), GROUPS)
    return kinds()[kind].when(tables, subject)


@pytest.mark.parametrize("kind", FAMILIES)
def test_every_quantity_of_a_family_has_a_panel_that_shows_single_values(make_tables, kind):
    folder, names = make_tables(), names_of(kind)
    assert not is_drawn(kind, folder)
    with_more(folder, names)
    assert [one for one in FAMILIES if is_drawn(one, folder)] == [kind]
    panels = draw(kind, folder).axes[: len(names)]
    shown = [title_of(axes).replace("\n", " ") for axes in panels]
    assert shown == [QUANTITIES[name].label for name in names]
    for place, axes in enumerate(panels):
        assert np.isnan(axes.lines[2].get_ydata()).tolist() == [True, True, *4 * [False]]
        assert axes.lines[2].get_ydata()[-1] == pytest.approx(place + 3)
        assert axes.lines[2].get_marker() == "."


def test_column_without_a_value_is_no_panel(make_tables):
    folder = make_tables()
    table = with_more(folder, ["num_outliers"]).assign(noise_scale=np.nan)
    write_table(folder / "spectra.csv", table)
    assert [title_of(axes) for axes in draw("noise", folder).axes[:1]] == ["outliers of noise"]
    assert title_of(draw("noise", folder).axes[1]) != "noise scale"


def test_heads_have_a_line_each_in_the_panel_of_their_pair(make_tables):
    folder = make_tables(num_matrices=20)
    assert not is_drawn("heads", folder)
    pairs = Tables(folder)["pairs"]["pair"].tolist()
    rows = [
        ("vgg", 0, step, pair, head, 3 + head, 1.0, 1.0)
        for step in (0, 5)
        for pair in pairs
        for head in range(4)
    ]
    columns = "experiment seed step pair head effective_rank spectral_norm frobenius_norm"
    write_table(folder / "heads.csv", pd.DataFrame(rows, columns=columns.split()))
    assert is_drawn("heads", folder)
    panels = [axes for axes in draw("heads", folder).axes if axes.lines]
    assert len(panels) == 12 < len(pairs)
    assert [line.get_ydata().tolist() for line in panels[0].lines] == [
        [3 + head] * 2 for head in range(4)
    ]


def bands_of(axes) -> list[np.ndarray]:
    """Return the lowest and the highest place of each band."""
    paths = [one.get_paths()[0].vertices[:, 1] for one in axes.collections]
    return [np.array([ys.min(), ys.max()]) for ys in paths]


def caption_of_many(folder, last: int) -> str:
    """Give very many matrices a scale of noise until a step; return the caption of its figure."""
    table = Tables(folder)["spectra"]
    table = table[table["step"] <= last]
    write_table(folder / "spectra.csv", table.assign(noise_scale=range(len(table))))
    tables = Tables(folder)
    (subject,) = subjects("experiment", tables, FiguresParams(), GROUPS)
    return kinds()["noise"].entry(subject, tables).caption


def test_very_many_matrices_are_bands_of_quantiles_and_the_caption_says_so(make_tables):
    folder = make_tables(num_matrices=MOST_LINES + 1)
    assert caption_of_many(folder, last=10).endswith(OF_MANY)
    tables, fig = Tables(folder), draw("noise", folder)
    assert legend_of(fig) == ["median", "middle half", "middle 90%"]
    (line,), bands = fig.axes[0].lines, bands_of(fig.axes[0])
    by_matrix = tables["spectra"].groupby(["matrix", "step"])["noise_scale"].mean().unstack()
    assert line.get_ydata()[-1] == pytest.approx(np.median(by_matrix.iloc[:, -1]))
    for band, share in zip(bands, (25, 5), strict=True):
        expected = np.percentile(by_matrix, [share, 100 - share], axis=0)
        assert band == pytest.approx([expected.min(), expected.max()])


def test_very_many_matrices_of_one_step_are_marks_by_depth_and_the_caption_says_no_bands(
    make_tables,
):
    folder = make_tables(num_matrices=MOST_LINES + 1)
    assert OF_MANY not in caption_of_many(folder, last=0)
    axes = draw("noise", folder).axes[0]
    assert not axes.collections
    depths = np.concatenate([line.get_xdata() for line in axes.lines])
    assert sorted(depths) == list(range(1, MOST_LINES + 2))


def test_few_matrices_are_lines_and_the_caption_says_nothing_of_many(make_tables):
    folder = make_tables()
    with_more(folder, ["noise_scale"])
    tables = Tables(folder)
    (subject,) = subjects("experiment", tables, FiguresParams(), GROUPS)
    assert OF_MANY not in kinds()["noise"].entry(subject, tables).caption
    axes = draw("noise", folder).axes[0]
    assert len(axes.lines) == len(subject.layers(tables, "matrix"))
    assert not axes.collections
