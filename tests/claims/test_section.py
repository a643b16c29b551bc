"""The claims section of params.yaml; `tests/config` has its bad values."""

import pytest

from specflow.claims.section import ClaimsParams

ITSELF = "got 'plain'; expected another experiment than no_decay, with which it is compared"


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
