"""Parameters of figures, and which matrices and pairs they choose."""

import pytest
from pydantic import ValidationError

from specflow.figures.section import FiguresParams, chosen_matrices, chosen_pairs

MATRICES = ["embedding", "attention", "mlp", "output"]
PAIRS = ["embedding -> attention", "attention -> mlp", "mlp -> output"]
PANEL = {"experiments": ["grokking"], "matrix": "attention", "pair": "embedding -> attention"}
OUTPUT = {"matrix": "output", "pair": "mlp -> output"}


def params(**settings) -> FiguresParams:
    return FiguresParams.model_validate(settings)


@pytest.mark.parametrize(
    ("settings", "name", "matrices", "pairs"),
    [
        ({}, "vgg", ["mlp"], ["attention -> mlp"]),
        ({"experiments": {"vgg": OUTPUT}}, "vgg", ["output"], ["mlp -> output"]),
        ({"experiments": {"vgg": OUTPUT}}, "other", ["mlp"], ["attention -> mlp"]),
        ({"checkpoints": {"hub": OUTPUT}}, "hub", ["output"], ["mlp -> output"]),
        ({"checkpoints": {"hub": {}}}, "hub", ["mlp"], ["attention -> mlp"]),
        ({"grokking": PANEL}, "grokking", ["attention"], ["embedding -> attention"]),
        ({"grokking": PANEL}, "vgg", ["mlp"], ["attention -> mlp"]),
        (
            {"grokking": PANEL, "experiments": {"grokking": OUTPUT}},
            "grokking",
            ["output", "attention"],
            ["mlp -> output", "embedding -> attention"],
        ),
        (
            {"grokking": PANEL, "experiments": {"grokking": {"matrix": "attention"}}},
            "grokking",
            ["attention"],
            ["embedding -> attention"],
        ),
    ],
    ids=str,
)
def test_what_is_named_is_chosen_then_the_panel_s_or_else_the_middle(
    settings, name, matrices, pairs
):
    assert chosen_matrices(params(**settings), name, MATRICES) == matrices
    assert chosen_pairs(params(**settings), name, PAIRS) == pairs


def test_without_pairs_none_is_chosen():
    assert chosen_pairs(params(), "vgg", []) == []
    with pytest.raises(ValueError, match="expected one of none"):
        chosen_pairs(params(experiments={"vgg": OUTPUT}), "vgg", [])
    with pytest.raises(ValueError, match="expected one of none"):
        chosen_matrices(params(), "vgg", [])


@pytest.mark.parametrize("choose", [chosen_matrices, chosen_pairs])
@pytest.mark.parametrize("section", ["experiments", "checkpoints"])
def test_unknown_names_are_refused_with_their_path(choose, section):
    wrong = params(**{section: {"vgg": {"matrix": "w", "pair": "w"}}})
    with pytest.raises(ValueError, match=rf"figures\.{section}\.vgg\.\w+: got 'w'; expected one"):
        choose(wrong, "vgg", MATRICES)
    panel = params(grokking=PANEL | {"matrix": "w", "pair": "w"})
    with pytest.raises(ValueError, match=r"figures\.grokking\.\w+: got 'w'; expected one of"):
        choose(panel, "grokking", MATRICES)


def test_everything_named_that_does_not_exist_is_told_with_what_does():
    section = params(
        grokking=PANEL, experiments={"a": {}}, problems=["b", "c"], checkpoints={"hub": {}, "d": {}}
    )
    assert section.unknown_names({"b"}, {"hub"}) == [
        "figures.experiments.a: got 'a'; expected one of b",
        "figures.grokking.experiments: got 'grokking'; expected one of b",
        "figures.problems: got 'c'; expected one of b",
        "figures.checkpoints.d: got 'd'; expected one of hub",
    ]
    assert section.unknown_names({"a", "b", "c", "grokking"}, set())[0].endswith(
        "expected one of none: there are none"
    )
    assert section.named == {"a", "b", "c", "grokking"}


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
        {"checkpoints": {"hub": {"x": "epoch"}}},
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
