import pytest
from pydantic import ValidationError

from specflow.config.errors import problems_of
from specflow.studies.checkpoints.section import CheckpointsParams
from specflow.studies.checkpoints.settings import ReadingParams

SPECTRA = {"diagonal_length": 100, "score_length": 10, "mass": 0.9}
LEAST = {"path": "models", "files": ["*.pt"], "spectra": SPECTRA}
SPLIT = {"match": "*qkv", "split": ["q", "k", "v"]}


def test_most_of_a_section_has_a_usual_value():
    params = CheckpointsParams.model_validate(LEAST)
    assert (params.layout, params.include, params.exclude) == ("auto", ("*",), ())
    assert (params.key, params.num_heads, params.step_from) == (None, None, None)
    assert ReadingParams.model_validate({"files": ["*.pt"]}).layout == "auto"


def test_path_alone_is_a_file_whose_step_is_told_by_its_name():
    params = CheckpointsParams.model_validate(LEAST | {"files": ["a", {"path": "b", "step": 3}]})
    assert [(file.path, file.step) for file in params.files] == [("a", None), ("b", 3)]


def test_errors_within_lists_name_the_entry_and_the_keys_that_are_expected():
    data = LEAST | {
        "files": ["a", {"path": 3}],
        "fused": [SPLIT, SPLIT | {"axes": 1}],
        "pairs": [{"from": "a", "too": "b"}],
    }
    with pytest.raises(ValidationError) as error:
        CheckpointsParams.model_validate(data)
    keys = "from, to, from_side, to_side"
    assert problems_of(error.value, CheckpointsParams, data) == [
        "files.1.path: got 3; expected a valid string",
        "fused.1.axes: unknown key (value 1); expected one of match, split, axis, "
        "shares, interleaved_by (did you mean axis?)",
        "pairs.0.to: missing; expected a value",
        f"pairs.0.too: unknown key (value 'b'); expected one of {keys} (did you mean to?)",
    ]


def test_section_survives_json():
    section = CheckpointsParams.model_validate(
        LEAST
        | {
            "files": [{"path": "a.pt", "step": 3}, "b*.pt"],
            "num_heads": 4,
            "fused": [SPLIT | {"interleaved_by": "heads"}, {"match": "*w1", "split": None}],
            "pairs": [{"from": "*.v", "to": "*.o", "from_side": "right"}],
        }
    )
    assert CheckpointsParams.model_validate_json(section.model_dump_json()) == section


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"files": []}, "at least 1 item"),
        ({"files": [{"path": "a", "step": -1}]}, "greater than or equal to 0"),
        ({"step_from": "step"}, "expected one group for the step"),
        ({"step_from": "("}, "expected a regular expression"),
        ({"include": []}, "at least 1 item"),
        ({"layout": "bert"}, "Input should be 'auto'"),
        ({"fused": [SPLIT | {"split": ["q"]}]}, "at least 2 items"),
        ({"fused": [SPLIT | {"split": ["q", "q"]}]}, "each once"),
        ({"fused": [SPLIT | {"split": ["a/b", "c"]}]}, "should match pattern"),
        ({"fused": [SPLIT | {"shares": [1, 2]}]}, "2 shares of 3 parts"),
        ({"fused": [SPLIT | {"split": None, "shares": [1]}]}, "neither shares nor interleaved"),
        ({"fused": [SPLIT | {"interleaved_by": "heads"}]}, "num_heads is null; expected a number"),
        ({"pairs": [{"from": "*.v", "to": "o"}]}, r"from has 1 `\*` and to has 0"),
        ({"pairs": [{"from": "a", "to": "b", "to_side": "top"}]}, "Input should be 'left'"),
        ({"heads": 4}, "Extra inputs"),
    ],
)
def test_faulty_value_is_refused(change, match):
    with pytest.raises(ValidationError, match=match):
        CheckpointsParams.model_validate(LEAST | change)
