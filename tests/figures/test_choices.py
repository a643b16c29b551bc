"""Parameters of figures, and which matrices and pairs they choose."""

import pytest
from pydantic import ValidationError

from specflow.params.figures import (
    FiguresParams,
    chosen_matrices,
    chosen_matrix,
    chosen_pair,
    chosen_pairs,
)

MATRICES = ["embedding", "attention", "mlp", "output"]
PAIRS = ["embedding -> attention", "attention -> mlp", "mlp -> output"]
PANEL = {
    "experiments": ["grokking"],
    "matrix": "attention",
    "pair": "embedding -> attention",
}


def params(**settings) -> FiguresParams:
    return FiguresParams.model_validate(settings)


def test_the_middle_is_chosen_where_nothing_is_named():
    assert chosen_matrices(params(), "vgg", MATRICES) == ["mlp"]
    assert chosen_pairs(params(), "vgg", PAIRS) == ["attention -> mlp"]
    assert chosen_matrix(params(), "vgg", ["only"]) == "only"


def test_a_named_matrix_is_chosen():
    named = params(experiments={"vgg": {"matrix": "output", "pair": "mlp -> output"}})
    assert chosen_matrices(named, "vgg", MATRICES) == ["output"]
    assert chosen_pairs(named, "vgg", PAIRS) == ["mlp -> output"]
    assert chosen_matrices(named, "other", MATRICES) == ["mlp"]


def test_figures_of_an_experiment_in_the_panel_show_what_the_panel_shows():
    panel = params(grokking=PANEL)
    assert chosen_matrices(panel, "grokking", MATRICES) == ["attention"]
    assert chosen_pairs(panel, "grokking", PAIRS) == ["embedding -> attention"]
    assert chosen_matrices(panel, "vgg", MATRICES) == ["mlp"]


def test_the_panel_adds_its_own_to_its_experiments_only():
    other = {"matrix": "mlp", "pair": "mlp -> output"}
    panel = params(grokking=PANEL, experiments={"grokking": other, "vgg": other})
    assert chosen_matrices(panel, "grokking", MATRICES) == ["mlp", "attention"]
    assert chosen_pairs(panel, "grokking", PAIRS) == ["mlp -> output", "embedding -> attention"]
    assert chosen_matrices(panel, "vgg", MATRICES) == ["mlp"]


def test_nothing_is_chosen_twice():
    both = params(grokking=PANEL, experiments={"grokking": {"matrix": "attention"}})
    assert chosen_matrices(both, "grokking", MATRICES) == ["attention"]


def test_an_experiment_without_pairs_has_none_chosen():
    assert chosen_pairs(params(), "vgg", []) == []
    with pytest.raises(ValueError, match="expected one of none"):
        chosen_pair(params(), "vgg", [])


@pytest.mark.parametrize("choose", [chosen_matrices, chosen_pairs])
def test_unknown_names_are_refused_with_their_path(choose):
    wrong = params(experiments={"vgg": {"matrix": "w", "pair": "w"}})
    with pytest.raises(
        ValueError, match=r"figures\.experiments\.vgg\.\w+: got 'w'; expected one of"
    ):
        choose(wrong, "vgg", MATRICES)


def test_the_section_survives_json():
    section = params(grokking=PANEL, experiments={"vgg": {"scale": "log"}}, problems=["vgg"])
    assert FiguresParams.model_validate_json(section.model_dump_json()) == section


@pytest.mark.parametrize(
    "settings",
    [
        {"dpi": "130"},
        {"dpi": 10},
        {"colour": "red"},
        {"experiments": {"vgg": {"scale": "cubic"}}},
        {"experiments": {"Not A Name": {}}},
        {"experiments": {"vgg": {"matrix": ""}}},
        {"grokking": {**PANEL, "experiments": []}},
        {"grokking": {"experiments": ["grokking"]}},
        {"problems": "grokking"},
        {"problems": ["a", "b", "c", "d", "e", "f", "g"]},
    ],
    ids=str,
)
def test_wrong_values_are_refused(settings):
    with pytest.raises(ValidationError):
        params(**settings)
