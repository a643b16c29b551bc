"""What the figures that compare branch ends show, read back from the artists."""

import numpy as np
import pytest

from specflow.figures.across import draw_across
from specflow.figures.perturbation import draw_perturbation
from specflow.params.figures import FiguresParams
from specflow.tables.reading import Tables


@pytest.fixture
def tables(make_tables) -> Tables:
    return Tables(make_tables(experiments=("digits_vgg",), num_checkpoints=4))


def mean(table, column, **rows):
    return table.where(**rows).numbers(column).mean()


def test_across_has_a_curve_within_and_one_across_in_every_panel(tables):
    figure = draw_across(tables, "digits_vgg", FiguresParams())
    assert len(figure.axes) == 3
    barriers = tables["barriers"].where(keep="full", split="validation", metric="error")
    agreement = tables["end_agreement"]
    for place, relation in enumerate(("within", "across")):
        line = figure.axes[1].lines[place]
        assert line.get_xdata().tolist() == [0, 0.5, 3, 15]
        expected = [mean(barriers, "barrier", relation=relation, split_step=s) for s in (0, 150)]
        np.testing.assert_allclose(line.get_ydata()[[0, -1]], expected)
        last = mean(agreement, "agreement_score", relation=relation, split_step=150)
        assert figure.axes[2].lines[place].get_ydata()[-1] == pytest.approx(last)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == [
        "two branches of one trunk",
        "branches of two trunks",
        "unrelated matrices (0.004)",
    ]


def test_scale_zero_of_a_perturbation_is_its_own_split_point(tables):
    figure = draw_perturbation(tables, "digits_vgg", FiguresParams())
    line = figure.axes[0].lines[0]
    assert line.get_xdata().tolist() == [0, 0.1, 0.25, 0.5, 1, 2.5]
    barriers = tables["barriers"].where(keep="full", split="validation", metric="loss")
    unperturbed = mean(barriers, "barrier", relation="within", split_step=150)
    perturbed = mean(barriers, "barrier", relation="perturbed", scale=2.5)
    np.testing.assert_allclose(line.get_ydata()[[0, -1]], [unperturbed, perturbed])
    assert "at epoch 15" in figure.get_suptitle()


def test_split_is_stated_in_the_unit_of_the_experiment(tables):
    params = FiguresParams.model_validate({"experiments": {"digits_vgg": {"x": "step"}}})
    assert "at step 150" in draw_perturbation(tables, "digits_vgg", params).get_suptitle()
    assert draw_across(tables, "digits_vgg", params).axes[0].get_xlabel() == "step of the split"
