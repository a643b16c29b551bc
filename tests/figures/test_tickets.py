"""What figures of lottery tickets show."""

import numpy as np
import pytest
from tests.figures.conftest import LABELS
from tests.figures.drawn import RANK, colours_of, draw, final, legend_of, meshes_of, title_of

from specflow.figures.style import KIND_LOOKS
from specflow.frames import Tables, where

COLOURS = [look["color"] for look in KIND_LOOKS.values()]
DENSITIES = (0.01, 0.2)
TICKETS = {
    f"{kind}_{density}": (kind, density, 5)
    for density in DENSITIES
    for kind in reversed(KIND_LOOKS)
}


@pytest.fixture
def folder(make_tables):
    return make_tables(tickets=TICKETS)


def test_masks_of_a_density_have_a_panel_with_a_line_for_each_kind_and_the_null_level(folder):
    fig = draw("tickets", folder)
    panels = fig.axes[:2]
    assert [title_of(axes) for axes in panels] == ["1% of weights kept", "20% of weights kept"]
    for axes, density in zip(panels, DENSITIES, strict=True):
        assert colours_of(axes)[:-1] == COLOURS
        scores = where(Tables(folder)["ticket_masks"], ticket=f"random_{density}")
        expected = scores.groupby("matrix")["masked_agreement_score"].mean()
        assert axes.lines[1].get_xdata().tolist() == pytest.approx(expected.tolist())
    assert [text.get_text() for text in panels[0].get_yticklabels()] == list(LABELS)


def test_ends_stand_against_density_beside_the_source(folder):
    kept, ends = draw("tickets", folder).axes[2:]
    panel = {"split": "validation", "metric": "error"}
    error = final(folder, "history", "value", **panel)
    assert ends.lines[-1].get_ydata()[0] == pytest.approx(error)
    for place, kind in enumerate(KIND_LOOKS):
        names = [f"{kind}_{density}" for density in DENSITIES]
        expected = [final(folder, "ticket_history", "value", ticket=one, **panel) for one in names]
        own = ends.containers[place].lines[0]
        assert own.get_ydata().tolist() == pytest.approx(expected)
        assert own.get_xdata() == pytest.approx(DENSITIES, rel=0.1)
        masks = Tables(folder)["ticket_masks"].groupby("ticket")["masked_agreement_score"].mean()
        assert kept.containers[place].lines[0].get_ydata().tolist() == pytest.approx(masks[names])


def test_scores_that_coincide_are_both_seen():
    """Masks of these two kinds are the same."""
    first, second = KIND_LOOKS["magnitude"], KIND_LOOKS["reinitialized"]
    assert first["linewidth"] > second["linewidth"]
    assert "linestyle" not in first
    assert second["linestyle"] != "-"
    assert list(KIND_LOOKS).index("magnitude") < list(KIND_LOOKS).index("reinitialized")


def test_training_has_a_row_for_each_measure_with_the_source_where_it_has_one(folder):
    fig = draw("ticket_training", folder)
    rows = np.array(fig.axes).reshape(-1, 2)
    measures = [axes.get_ylabel().replace("\n", " ") for axes in rows[:, 0]]
    assert measures == [
        *("validation loss", "validation error", "agreement with source"),
        *("agreement with own end", "alignment of neighbours", "normalized effective rank"),
    ]
    tables = {
        "agreement with source": ("ticket_spectra", "agreement_score"),
        "agreement with own end": ("ticket_spectra", "own_agreement_score"),
        "alignment of neighbours": ("ticket_alignment", "alignment_score"),
        "normalized effective rank": ("ticket_spectra", RANK),
    }
    for measure, row in zip(measures, rows, strict=True):
        has_source = measure != "agreement with source"
        for axes, density in zip(row, DENSITIES, strict=True):
            own = axes.lines[has_source : has_source + 3]
            assert [line.get_color() for line in own] == COLOURS
            assert all(line.get_xdata().tolist() == [0.5, 1, 2, 3] for line in own)
            if has_source:
                assert axes.lines[0].get_xdata()[0] == 0
            if measure in tables:
                expected = final(folder, *tables[measure], ticket=f"magnitude_{density}")
                assert own[0].get_ydata()[-1] == pytest.approx(expected)


def test_pruned_tickets_have_a_panel_each_with_the_full_ticket_and_its_source(folder):
    fig = draw("ticket_pruning", folder)
    assert [axes.get_ylabel() for axes in fig.axes[::2]] == list(KIND_LOOKS)
    panel = {"split": "validation", "metric": "error"}
    for axes, name in zip(fig.axes, ("magnitude_0.01", "magnitude_0.2"), strict=False):
        source, full, top, bottom = axes.lines
        assert source.get_ydata()[-1] == pytest.approx(final(folder, "history", "value", **panel))
        expected = final(folder, "ticket_history", "value", ticket=name, **panel)
        assert full.get_ydata()[-1] == pytest.approx(expected)
        for line, keep in ((top, "top"), (bottom, "bottom")):
            expected = final(folder, "ticket_pruning", "value", ticket=name, keep=keep, **panel)
            assert line.get_xdata().tolist() == [0.5, 3]
            assert line.get_ydata()[-1] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("kind", "column"),
    [("ticket_agreement", "agreement_score"), ("ticket_settling", "own_agreement_score")],
)
def test_agreement_is_shown_layer_by_layer_with_colours_from_0_to_1(folder, kind, column):
    meshes = meshes_of(draw(kind, folder))
    assert len(meshes) == len(TICKETS)
    own = where(Tables(folder)["ticket_spectra"], ticket="random_0.2", matrix="layers.3.weight")
    scores = own.groupby("step")[column].mean()
    assert meshes[3].get_array()[3].tolist() == pytest.approx(scores.tolist())
    assert all(mesh.get_clim() == (0, 1) for mesh in meshes)


def test_columns_are_densities_and_rewind_steps_and_a_ticket_that_is_not_there_has_no_panel(
    make_tables,
):
    tickets = {f"{kind}_{step}": (kind, 0.05, step) for step in (5, 10) for kind in KIND_LOOKS}
    del tickets["random_10"]
    tickets["dense"] = ("magnitude", 0.5, 5)
    fig = draw("ticket_agreement", make_tables(tickets=tickets))
    assert [title_of(axes) for axes in fig.axes[:3]] == [
        *("5% of weights kept,\nfrom step 5", "5% of weights kept,\nfrom step 10"),
        "50% of weights kept,\nfrom step 5",
    ]
    shown = [axes.axison for axes in fig.axes[:9]]
    assert shown == [True, True, True, True, False, False, True, True, False]
    assert len(meshes_of(fig)) == 6


def test_one_ticket_alone_is_drawn(make_tables):
    folder = make_tables(tickets={"alone": ("random", 0.05, 0)}, with_pairs=False, fractions=())
    assert legend_of(draw("tickets", folder))[0] == "random"
    assert len(draw("ticket_training", folder).axes) == 5
    assert len(draw("ticket_pruning", folder).axes[0].lines) == 2
