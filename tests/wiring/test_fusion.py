import pytest
import torch

from specflow.errors import SpecflowError
from specflow.wiring.fusion import FusionParams, fusion_of

QKV = {"match": "*qkv", "split": ["q", "k", "v"]}


@pytest.mark.parametrize(("shares", "lengths"), [(None, [4, 4, 4]), ([4, 1, 1], [8, 2, 2])])
def test_declared_parts_follow_each_other_in_declared_shares(take, shares, lengths):
    tensors = {"attn.qkv.weight": torch.arange(36.0).view(12, 3)}
    parts = take(tensors, fused=[QKV | {"shares": shares}])
    assert list(parts) == ["attn.qkv q", "attn.qkv k", "attn.qkv v"]
    assert [len(part) for part in parts.values()] == lengths
    assert torch.equal(torch.cat(list(parts.values())), tensors["attn.qkv.weight"])


def test_declared_parts_are_interleaved_by_heads(take):
    tensors = {"qkv": torch.arange(12.0)[:, None].expand(12, 2)}
    parts = take(tensors, fused=[QKV | {"interleaved_by": "heads"}], num_heads=2)
    assert {name: part[:, 0].tolist() for name, part in parts.items()} == {
        "qkv q": [0, 1, 6, 7],
        "qkv k": [2, 3, 8, 9],
        "qkv v": [4, 5, 10, 11],
    }


def test_experts_are_matrices_of_their_own_and_split_further(take):
    """Experts stacked in front, each (inputs, outputs) with gate and up side by side."""
    tensors = {"experts.gate_up": torch.arange(3 * 4 * 10.0).view(3, 4, 10)}
    rules = [
        {"match": "*.gate_up", "split": None},
        {"match": "*.gate_up:*", "split": ["gate", "up"], "axis": 1},
    ]
    parts = take(tensors, fused=rules, transposed=["experts.*"])
    assert len(parts) == 6
    expected = tensors["experts.gate_up"][1, :, 5:].T
    assert torch.equal(parts["experts.gate_up 1 up"], expected)


@pytest.mark.parametrize(
    ("shape", "rule", "match"),
    [
        ((10, 3), QKV, r"qkv: cannot be split in q, k, v: dimension 0 of .* no multiple of 3"),
        ((9, 3), QKV | {"axis": 2}, r"shape \(9, 3\) has no dimension 2"),
        ((9, 3), QKV | {"split": None}, r"in entries: those of shape \(9, 3\) are vectors"),
        ((9, 3), QKV | {"match": "*kqv"}, r"fused: '\*kqv' matches none of the 1 matrices qkv"),
    ],
)
def test_fusion_that_does_not_fit_is_refused(wire, shape, rule, match):
    with pytest.raises(SpecflowError, match=match):
        wire({"qkv.weight": shape}, fused=[rule])


def test_part_with_the_name_of_another_matrix_is_refused(wire):
    with pytest.raises(SpecflowError, match="qkv:q, qkv: both have a matrix 'qkv:q'"):
        wire({"qkv": (6, 2), "qkv:q": (2, 2)}, fused=[QKV])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*.qkv=q,k,v", {"match": "*.qkv", "split": ["q", "k", "v"]}),
        ("*.qkv=q,k@1", {"match": "*.qkv", "split": ["q", "k"], "axis": 1}),
        ("a=b=q:4,k:1", {"match": "a=b", "split": ["q", "k"], "shares": [4, 1]}),
        ("*.w=*", {"match": "*.w", "split": None}),
        ("*.w=*@2", {"match": "*.w", "split": None, "axis": 2}),
        (
            "*=q,k@0/heads",
            {"match": "*", "split": ["q", "k"], "axis": 0, "interleaved_by": "heads"},
        ),
    ],
)
def test_fusion_in_one_line_is_that_of_params(text, expected):
    assert fusion_of(text) == expected
    assert FusionParams.model_validate(expected).match == expected["match"]


@pytest.mark.parametrize("text", ["", "a", "a=", "=q,k", "a=q,,k", "a=q:1,k", "a=q@x", "a=q/head"])
def test_fusion_that_is_none_is_refused_with_examples(text):
    with pytest.raises(SpecflowError, match=r"fused: got .*; expected a pattern and its parts, as"):
        fusion_of(text)
