"""Figures of two models: what moved is shown where it is."""

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from tests.figures.drawn import legend_of
from tests.two_models import base, tuned

from specflow.analysis.comparison import compare_models
from specflow.figures.registry import kinds
from specflow.figures.section import FiguresParams
from specflow.figures.subjects import comparison_of


def drawn(kind: str) -> tuple[Figure, dict]:
    tables = compare_models(base(), tuned(base()), {}).tables
    fig, subject = Figure(layout="constrained"), comparison_of("comparison", FiguresParams())
    assert kinds()[kind].when(tables, subject)
    kinds()[kind].draw(fig, tables, subject)
    return fig, tables


def test_what_moved_stands_at_its_depth():
    fig, tables = drawn("moved_by_depth")
    changed = tables["compared_matrices"].query("relative_change > 0")
    (line,) = (one for one in fig.axes[0].lines if max(one.get_ydata()) > 0)
    places = dict(zip(*line.get_data(), strict=True))
    assert places == dict(zip(changed["depth"] + 1, changed["relative_change"], strict=True))
    assert max(max(one.get_ydata()) for one in fig.axes[2].lines) == 2
    assert legend_of(fig)[0] == "embedding"


def test_spectra_of_what_moved_fall_below_rounding_after_the_rank():
    fig, _ = drawn("moved_spectra")
    assert [axes.get_title(loc="left") or axes.get_title() for axes in fig.axes] == [
        "block 2 MLP out",
        "block 1 MLP out",
    ]
    for axes in fig.axes:
        _, _, difference, rounding = axes.lines
        assert (difference.get_ydata() > rounding.get_ydata()[0]).sum() == 2
    assert legend_of(fig)[:3] == ["A", "B", "B - A"]


def test_spectra_of_what_moved_fill_their_axes_whatever_rounding_is():
    """A line far below all that is shown would leave it a small part of the axes."""
    for weights in (base(), {name: weight.double() for name, weight in base().items()}):
        tables = compare_models(weights, tuned(weights), {}).tables
        fig, subject = Figure(layout="constrained"), comparison_of("comparison", FiguresParams())
        kinds()["moved_spectra"].draw(fig, tables, subject)
        for axes in fig.axes:
            *lines, rounding = axes.lines
            values = np.concatenate([line.get_ydata() for line in lines])
            above = values[values > rounding.get_ydata()[0]]
            low, high = axes.get_ylim()
            assert low < above.min() < above.max() < high
            assert low >= above.min() / 50
            assert high <= 2 * above.max()


@pytest.mark.parametrize(("dtype", "is_seen"), [(torch.float32, False), (torch.bfloat16, True)])
def test_legend_has_rounding_where_a_panel_shows_it(dtype, is_seen):
    generator = torch.Generator().manual_seed(0)
    start, change = (torch.randn(20, 20, generator=generator).to(dtype) for _ in range(2))
    tables = compare_models({"a": start}, {"a": start + 0.1 * change}, {}).tables
    fig = Figure()
    kinds()["moved_spectra"].draw(fig, tables, comparison_of("comparison", FiguresParams()))
    low, high = fig.axes[0].get_ylim()
    assert (low <= fig.axes[0].lines[-1].get_ydata()[0] <= high) == is_seen
    assert legend_of(fig) == ["A", "B", "B - A", *(["rounding of the two"] if is_seen else [])]


def test_identical_models_have_no_spectra_of_what_moved():
    tables, subject = compare_models(base(), base(), {}).tables, comparison_of("x", FiguresParams())
    assert not kinds()["moved_spectra"].when(tables, subject)
