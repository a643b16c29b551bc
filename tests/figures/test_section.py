"""Parameters of figures, and which matrices and pairs they choose."""

import pytest
from pydantic import ValidationError
from tests.figures.drawn import ASCENDING, GROUPS

from specflow.figures.section import FiguresParams, decay_label
from specflow.figures.subjects import subjects
from specflow.frames import Tables
from specflow.studies.shown import Chosen

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
    section = params(**settings)
    assert section.chosen(name, "matrix", MATRICES) == Chosen(full=matrices)
    assert section.chosen(name, "pair", PAIRS) == Chosen(full=pairs)


@pytest.mark.parametrize(
    ("several", "small"),
    [
        ("all", ["embedding", "attention", "output"]),
        (["output", "mlp", "attention"], ["attention", "output"]),
        ([], []),
    ],
    ids=str,
)
@pytest.mark.parametrize("place", ["experiments", "checkpoints"])
def test_small_panels_are_in_order_of_depth_and_one_shown_in_full_needs_no_second_table(
    place, several, small
):
    section = params(**{place: {"vgg": {"matrices": several}}})
    assert section.chosen("vgg", "matrix", MATRICES) == Chosen(full=["mlp"], small=small)
    assert section.chosen("vgg", "pair", PAIRS) == Chosen(full=["attention -> mlp"])
    shown = [name for name in MATRICES if name in {*small, "mlp"}] if several else []
    assert section.several("vgg", "matrix", MATRICES) == shown


@pytest.mark.parametrize("key", ["matrix", "pair"])
def test_without_matrices_or_pairs_none_is_chosen(key):
    assert params().chosen("vgg", key, []) == Chosen()
    with pytest.raises(ValueError, match="expected one of none"):
        params(experiments={"vgg": OUTPUT}).chosen("vgg", key, [])


@pytest.mark.parametrize("key", ["matrix", "pair"])
@pytest.mark.parametrize("section", ["experiments", "checkpoints"])
def test_unknown_names_are_refused_with_their_path(key, section):
    wrong = params(**{section: {"vgg": {"matrix": "w", "pair": "w"}}})
    with pytest.raises(ValueError, match=rf"figures\.{section}\.vgg\.{key}: got 'w'; expected one"):
        wrong.chosen("vgg", key, MATRICES)
    several = params(**{section: {"vgg": {"matrices": ["mlp", "w"], "pairs": ["w"]}}})
    with pytest.raises(ValueError, match=r"\.vgg\.(matrices|pairs): got 'w'; expected one of emb"):
        several.chosen("vgg", key, MATRICES)
    panel = params(grokking=PANEL | {"matrix": "w", "pair": "w"})
    with pytest.raises(ValueError, match=rf"figures\.grokking\.{key}: got 'w'; expected one of"):
        panel.chosen("grokking", key, MATRICES)


def test_what_has_no_title_is_called_by_its_name_with_spaces():
    section = params(experiments={"a_b": {"title": "A title"}}, checkpoints={"hub": {"title": "T"}})
    assert [section.title(name) for name in ("a_b", "hub", "c_d")] == ["A title", "T", "c d"]


@pytest.mark.parametrize(
    ("true", "random", "both"),
    [
        ("MLP, digits, true labels", "MLP, digits, random labels", "MLP, digits"),
        ("net", "net random", "net"),
        ("net", "other", "net"),
    ],
)
def test_a_comparison_of_labels_is_called_what_both_networks_are(make_tables, true, random, both):
    titles = {"base": {"title": true}, "none": {"title": random}}
    tables = Tables(make_tables(experiments=("base", "none")))
    (found,) = subjects("labels", tables, params(experiments=titles), GROUPS)
    assert [found.title, *(member.title for member in found.members)] == [both, true, random]


def test_variants_of_weight_decay_are_called_by_their_base_and_decay():
    section = params(experiments={"base": {"title": "A net"}, "strong": {"title": "Strong"}})
    called = [section.title(name, GROUPS) for name in (*ASCENDING, "other")]
    assert called == ["A net, weight decay 0", "A net", "Strong", "other"]


@pytest.mark.parametrize(
    ("decay", "label"), [(0.0, "0"), (1e-4, "1e-4"), (0.01, "0.01"), (0.1, "0.1"), (10.0, "10")]
)
def test_weight_decays_are_short(decay, label):
    assert decay_label(decay) == label


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
        {"experiments": {"vgg": {"matrices": "some"}}},
        {"checkpoints": {"hub": {"pairs": [1]}}},
        {"experiments": {"vgg": {"title": ""}}},
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
