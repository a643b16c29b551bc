"""Names of a model alone, and of the same within a larger one."""

import doctest

import pytest
import torch

from specflow.checkpoints import prefixes
from specflow.checkpoints.prefixes import prefixes_between, renamed
from specflow.wiring.tensors import TensorInfo


def infos(*names: str, rows: int = 3):
    return {name: TensorInfo((rows + n, 2), torch.float32) for n, name in enumerate(names)}


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (("model.x.w", "model.y.w"), ("x.w", "y.w"), ("model.", "")),
        (("x.w", "y.w"), ("model.x.w", "model.y.w"), ("", "model.")),
        (("m.text.x.w", "m.text.y.w", "m.eye.w"), ("x.w", "y.w"), ("m.text.", "")),
        (("x.w", "y.w"), ("x.w", "y.w"), ("", "")),
        (("x.x.w", "x.w"), ("x.x.w", "x.w"), ("", "")),
        (("x.w",), ("y.w",), ("", "")),
    ],
)
def test_prefix_is_the_one_by_which_most_names_are_the_same(a, b, expected):
    assert prefixes_between(infos(*a), infos(*b)) == expected


def test_tensors_of_other_shapes_are_no_reason_for_a_prefix():
    assert prefixes_between(infos("model.x", "model.y"), infos("x", "y", rows=9)) == ("", "")


def test_names_that_both_have_stay_and_none_becomes_two():
    found = renamed(["head.w", "x.w", "new.w"], ["head.w", "model.x.w"], ("model.", ""))
    assert found == {"head.w": "head.w", "x.w": "model.x.w", "new.w": "new.w"}
    both = ["x.w", "model.x.w"]
    assert renamed(both, ["model.x.w"], ("model.", "")) == {name: name for name in both}


def test_example_holds():
    assert doctest.testmod(prefixes).failed == 0
