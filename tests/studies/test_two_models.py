"""Two models in words and in summaries by role and depth."""

import math

import pytest
import torch
from tests.two_models import base, tuned

from specflow.analysis.comparison import compare_models
from specflow.studies.two_models import TwoModels, share


def found(a=None, b=None) -> TwoModels:
    return compare_models(a or base(), b or tuned(base()), {})


def test_roles_are_summed_up_those_that_moved_most_first():
    models = found()
    table, roles = models.matrices, models.by_role
    assert roles.index[0] == "MLP out"
    assert roles["matrices"].sum() == len(table)
    own = table[table["role"] == "MLP out"]
    row = roles.loc["MLP out"]
    assert row["most_change"] == own["relative_change"].max()
    assert row["median_change"] == own["relative_change"].median()
    assert row["most_rank"] == 2


def test_thirds_of_the_network_have_all_matrices_in_order_of_depth():
    models = found()
    depths = models.by_depth
    assert depths.index.tolist() == ["first third", "middle third", "last third"]
    assert depths["matrices"].tolist() == [6, 5, 5]
    first = models.matrices[models.matrices["depth"] < 6]
    assert depths.loc["first third", "most_change"] == first["relative_change"].max()


def test_matrices_without_roles_are_said_to_have_none():
    weights = {"a.weight": torch.eye(3), "b.weight": torch.eye(4)}
    assert found(weights, {**weights, "a.weight": 2 * torch.eye(3)}).by_role.index.tolist() == [
        "no known role"
    ]


def test_change_from_zero_is_infinite_and_comes_first():
    zero = {"a.weight": torch.eye(3), "b.weight": torch.zeros(3, 4)}
    grown = {"a.weight": 2 * torch.eye(3), "b.weight": torch.ones(3, 4)}
    models = found(zero, grown)
    assert models.matrices["matrix"].tolist() == ["b", "a"]
    assert models.matrices["relative_change"].tolist() == [math.inf, 1]
    assert math.isnan(models.matrices["stable_rank_a"][0])
    assert "What moved most is b, which is 0 in A;" in " ".join(models.sentences)


def test_change_within_rounding_is_not_said_to_be_rounding():
    """The base may be where training in float32 began: then the whole change is real."""
    start = base()["lm_head.weight"].bfloat16().float()
    models = found({"a.weight": start}, {"a.weight": start + 1e-6})
    assert models.matrices["rank_difference"].tolist() == [0]
    assert models.matrices["relative_change"][0] > 0
    said = " ".join(models.sentences)
    assert "rank 0 in the matrices that changed" in said
    assert "what is beyond, rounding can account for" in said


def test_spectra_are_of_what_moved_most_and_whole_at_the_top():
    models = found()
    assert set(models.spectra["matrix"]) == set(models.matrices["matrix"][:2])
    for name, rows in models.spectra.groupby("matrix"):
        change = (tuned(base())[f"{name}.weight"] - base()[f"{name}.weight"]).double()
        expected = torch.linalg.svdvals(change)[:5].tolist()
        assert rows["difference"][:2].tolist() == pytest.approx(expected[:2], rel=1e-6)
        assert rows["index"][:5].tolist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(("value", "told"), [(0.5, "50%"), (0.12345, "12.3%"), (2, "200%")])
def test_shares_are_told_in_percent(value, told):
    assert share(value) == told
