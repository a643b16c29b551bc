import re

import pytest
import torch
from torch import nn

from specflow.suites import SuiteError

QKV = {"match": "*qkv", "split": ["q", "k", "v"]}


def take(wiring, tensors):
    return {m.name: m.take(tensors[m.parameter]) for m in wiring.matrices}


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("norm.weight", torch.ones(4), "one dimension"),
        ("scale", torch.tensor(1.0), "a scalar"),
        ("mask", torch.ones(4, 4, dtype=torch.bool), "dtype bool, none of float16, bfloat16"),
        ("index", torch.ones(4, 4, dtype=torch.int64), "dtype int64, none of"),
        ("spectrum", torch.ones(4, 4, dtype=torch.complex64), "dtype complex64, none of"),
        ("small", torch.ones(4, 4).to(torch.float8_e4m3fn), "dtype float8_e4m3fn, none of"),
        ("experts.bias", torch.ones(4, 4), r"a bias \(or causal mask\)"),
        ("attn.bias_k", torch.ones(1, 1, 4), "a bias"),
        ("experts.up_bias", torch.ones(4, 4), "a bias"),
        ("empty", torch.ones(0, 4), r"no entries: shape \(0, 4\)"),
        ("deep", torch.ones(1, 1, 1, 1, 1, 1), "6 dimensions"),
    ],
)
def test_what_is_no_matrix_is_listed_with_the_reason(wire, name, value, reason):
    wiring = wire({"w": torch.ones(2, 2), name: value})
    assert [m.name for m in wiring.matrices] == ["w"]
    assert list(wiring.skipped) == [name]
    assert re.match(reason, wiring.skipped[name])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_matrices_keep_their_dtype(wire, dtype):
    tensors = {"w.weight": torch.ones(2, 3, dtype=dtype)}
    assert take(wire(tensors), tensors)["w"].dtype == dtype


def test_names_lose_weight_unless_that_is_taken(wire):
    names = [m.name for m in wire({"a.weight": (2, 2), "b.weight": (2, 2), "b": (2, 2)}).matrices]
    assert names == ["a", "b.weight", "b"]
    names = [m.name for m in wire({"weight": (2, 2), ".weight": (2, 2)}).matrices]
    assert names == ["weight", ".weight"]
    names = [m.name for m in wire({"a/.weight": (2, 2), "..weight": (2, 2)}).matrices]
    assert names == ["a/.weight", "..weight"]


def test_part_with_the_name_of_another_matrix_is_refused(wire):
    with pytest.raises(SuiteError, match="qkv:q, qkv: both have a matrix 'qkv:q'"):
        wire({"qkv": (6, 2), "qkv:q": (2, 2)}, fused=[QKV])


def test_matrices_keep_the_order_of_the_file(wire):
    names = [m.name for m in wire({"second": (2, 2), "first": (2, 2)}).matrices]
    assert names == ["second", "first"]


def test_embedding_is_a_matrix_of_tokens(wire):
    tensors = nn.Embedding(7, 3).state_dict()
    assert take(wire(tensors), tensors)["weight"].shape == (7, 3)


def test_declared_parts_follow_each_other(wire):
    tensors = {"attn.qkv.weight": torch.arange(36.0).view(12, 3)}
    parts = take(wire(tensors, fused=[QKV]), tensors)
    assert list(parts) == ["attn.qkv:q", "attn.qkv:k", "attn.qkv:v"]
    assert torch.equal(torch.cat(list(parts.values())), tensors["attn.qkv.weight"])


def test_declared_parts_have_declared_shares(wire):
    tensors = {"attn.qkv.weight": torch.arange(36.0).view(12, 3)}
    parts = take(wire(tensors, fused=[QKV | {"shares": [4, 1, 1]}]), tensors)
    assert [len(part) for part in parts.values()] == [8, 2, 2]
    assert torch.equal(torch.cat(list(parts.values())), tensors["attn.qkv.weight"])


def test_declared_parts_are_interleaved_by_heads(wire):
    tensors = {"qkv": torch.arange(12.0)[:, None].expand(12, 2)}
    parts = take(wire(tensors, fused=[QKV | {"interleaved_by": "heads"}], num_heads=2), tensors)
    assert {name: part[:, 0].tolist() for name, part in parts.items()} == {
        "qkv:q": [0, 1, 6, 7],
        "qkv:k": [2, 3, 8, 9],
        "qkv:v": [4, 5, 10, 11],
    }


def test_experts_are_matrices_of_their_own_and_split_further(wire):
    """Experts stacked in front, each (inputs, outputs) with gate and up side by side."""
    tensors = {"experts.gate_up": torch.arange(3 * 4 * 10.0).view(3, 4, 10)}
    rules = [
        {"match": "*.gate_up", "split": None},
        {"match": "*.gate_up:*", "split": ["gate", "up"], "axis": 1},
    ]
    parts = take(wire(tensors, fused=rules, transposed=["experts.*"]), tensors)
    assert len(parts) == 6
    expected = tensors["experts.gate_up"][1, :, 5:].T
    assert torch.equal(parts["experts.gate_up:1.up"], expected)


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
    with pytest.raises(SuiteError, match=match):
        wire({"qkv.weight": shape}, fused=[rule])


def test_pattern_of_transposed_tensors_that_matches_none_is_refused(wire):
    with pytest.raises(SuiteError, match=r"transposed: 'tconv\*' matches none of the 1 matrices"):
        wire({"conv.weight": (2, 3, 1)}, transposed=["tconv*"])
