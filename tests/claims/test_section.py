"""The claims section of params.yaml: every error at once, with path, value and expectation."""

import pytest
from pydantic import ValidationError

from specflow.claims.section import ClaimsParams

ITSELF = "got 'plain'; expected another experiment than no_decay, with which it is compared"


def errors_of(raw):
    with pytest.raises(ValidationError) as caught:
        ClaimsParams.model_validate(raw)
    return {".".join(map(str, error["loc"])): error["type"] for error in caught.value.errors()}


@pytest.mark.parametrize(
    ("claim", "value", "path", "kind"),
    [
        ("rank_falls", 1.5, "rank_falls", "less_than"),
        ("rank_falls", "0.5", "rank_falls", "float_type"),
        ("top_half_suffices", 0, "top_half_suffices", "greater_than"),
        ("decay_lowers_rank", -2, "decay_lowers_rank", "greater_than_equal"),
        ("grokking_is_low_rank", float("nan"), "grokking_is_low_rank", "finite_number"),
        ("top_settles_early", 0, "top_settles_early", "model_type"),
        ("top_settles_early", {"difference": 0}, "top_settles_early.score", "missing"),
    ],
)
def test_threshold_that_no_claim_can_have_is_refused(raw_claims, claim, value, path, kind):
    raw_claims["thresholds"][claim] = value
    assert errors_of(raw_claims) == {f"thresholds.{path}": kind}


def test_all_errors_are_found_at_once(raw_claims):
    del raw_claims["thresholds"]["rank_falls"]
    raw_claims["thresholds"] |= {"unequal_growth": -1, "rank_fals": 0.5}
    found = errors_of(raw_claims | {"confidence": 95, "grokking": {"no_dcay": None}})
    assert found == {
        "confidence": "less_than",
        "thresholds.rank_falls": "missing",
        "thresholds.unequal_growth": "greater_than",
        "thresholds.rank_fals": "extra_forbidden",
        "grokking.no_dcay": "extra_forbidden",
    }


def test_schema_says_what_a_threshold_is_of():
    schema = ClaimsParams.model_json_schema()["$defs"]["Thresholds"]
    claim = schema["properties"]["late_split_connected"]
    assert claim["description"].startswith("late branches are connected: barrier at the last split")
    assert claim["exclusiveMinimum"] == 0


@pytest.mark.parametrize(
    ("roles", "problems"),
    [
        (None, []),
        ({"decay": "grokking"}, []),
        ({"decay": "gokking"}, ["decay: got 'gokking'; expected one of grokking, plain"]),
        (
            {"no_decay": "plain", "decay": "plain", "most_data": "plain"},
            [f"decay: {ITSELF}", f"most_data: {ITSELF}"],
        ),
    ],
)
def test_experiments_that_cannot_be_compared_are_named(raw_claims, roles, problems):
    claims = ClaimsParams.model_validate(raw_claims | {"grokking": roles})
    found = claims.problems({"plain", "grokking"})
    assert found == [f"claims.grokking.{problem}" for problem in problems]
