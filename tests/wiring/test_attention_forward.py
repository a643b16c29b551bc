"""The matrices that are taken out of fused weights do what the real attention does with them."""

import pytest
import torch
from tests.wiring import made_up
from torch import nn
from torch.nn import functional

D, HEADS = 8, 2


def taken(wiring, tensors):
    return {m.label: m.view.of(tensors[m.view.tensor]) for m in wiring.matrices}


def attend(x, query, key, value, out, heads):
    """Attention written with one matrix (outputs, inputs) for each of its parts."""
    q, k, v = ((x @ w.T).unflatten(-1, (heads, -1)).transpose(1, 2) for w in (query, key, value))
    mixed = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
    return mixed @ out.T


def by_parts(wiring, tensors, x, block="block 1 "):
    parts = taken(wiring, tensors)
    names = ("query", "key", "value", "attention out")
    return attend(x, *(parts[f"{block}{name}"] for name in names), HEADS)


@pytest.fixture
def x():
    return torch.randn(3, 5, D, generator=torch.Generator().manual_seed(1))


def test_gpt_neox(wire, x):
    """GPT-NeoX sees a row of the projection as (heads, 3 * size of a head)."""
    tensors = made_up.gpt_neox(D)
    layer = "gpt_neox.layers.0.attention"
    qkv = functional.linear(x, tensors[f"{layer}.query_key_value.weight"])
    qkv = qkv.view(3, 5, HEADS, 3 * D // HEADS).transpose(1, 2)
    mixed = functional.scaled_dot_product_attention(*qkv.chunk(3, dim=-1))
    expected = functional.linear(mixed.transpose(1, 2).flatten(2), tensors[f"{layer}.dense.weight"])
    found = by_parts(wire(tensors, num_heads=HEADS), tensors, x)
    torch.testing.assert_close(found, expected)
    thirds = [{"match": "*query_key_value", "split": ["q", "k", "v"]}]
    wrong = by_parts(wire(tensors, num_heads=HEADS, fused=thirds), tensors, x)
    assert not torch.allclose(wrong, expected)


def test_gpt2(wire, x):
    """GPT-2's Conv1D multiplies from the right, then splits its outputs in three."""
    tensors = made_up.gpt2(D)
    q, k, v = (x @ tensors["h.0.attn.c_attn.weight"]).split(D, dim=2)
    heads = ((y.view(3, 5, HEADS, D // HEADS).transpose(1, 2)) for y in (q, k, v))
    mixed = functional.scaled_dot_product_attention(*heads).transpose(1, 2).reshape(3, 5, D)
    expected = mixed @ tensors["h.0.attn.c_proj.weight"]
    torch.testing.assert_close(by_parts(wire(tensors), tensors, x), expected)


def test_gpt2_mlp(wire, x):
    tensors = made_up.gpt2(D)
    parts = taken(wire(tensors), tensors)
    hidden = functional.gelu(x @ tensors["h.1.mlp.c_fc.weight"])
    expected = hidden @ tensors["h.1.mlp.c_proj.weight"]
    found = functional.gelu(x @ parts["block 2 MLP in"].T) @ parts["block 2 MLP out"].T
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("kdim", [None, 6])
def test_multihead_attention_of_torch(wire, x, kdim):
    module = nn.MultiheadAttention(D, HEADS, bias=False, batch_first=True, kdim=kdim, vdim=kdim)
    tensors = module.state_dict()
    keys = x[..., : kdim or D]
    expected = module(x, keys, keys)[0]
    parts = taken(wire(tensors, num_heads=HEADS), tensors)
    q, k, v = (
        (y @ parts[name].T).unflatten(-1, (HEADS, -1)).transpose(1, 2)
        for name, y in (("query", x), ("key", keys), ("value", keys))
    )
    mixed = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
    torch.testing.assert_close(mixed @ parts["attention out"].T, expected)


def test_heads_of_queries_and_keys_give_the_scores_of_real_heads(wire, x):
    """Grouped: 4 heads of queries, 2 of keys."""
    tensors = made_up.llama(D, kv=4)
    wiring = wire(tensors, num_heads=4)
    q, k = (
        (x @ tensors[f"model.layers.0.self_attn.{name}_proj.weight"].T)
        .unflatten(-1, (count, 2))
        .transpose(1, 2)
        for name, count in (("q", 4), ("k", 2))
    )
    expected = q @ k.repeat_interleave(2, dim=1).mT
    (pair,) = (p for p in wiring.pairs if p.label == "block 1 query -> block 1 key")
    for head, meeting in enumerate(pair.meetings):
        query, key = (v.of(tensors[v.tensor]) for v in (meeting.previous, meeting.following))
        torch.testing.assert_close((x @ query.T) @ (x @ key.T).mT, expected[:, head])


@pytest.mark.parametrize("tensors", [made_up.gpt_neox(D), made_up.gpt2(D)], ids=["neox", "gpt2"])
def test_heads_are_rows_of_their_queries(wire, tensors):
    wiring = wire(tensors, num_heads=HEADS)
    (pair,) = (p for p in wiring.pairs if p.label == "block 1 query -> block 1 key")
    heads = [m.previous.of(tensors[m.previous.tensor]) for m in pair.meetings]
    assert torch.equal(torch.cat(heads), taken(wiring, tensors)["block 1 query"])


def test_tensor_of_another_shape_is_refused(wire):
    (matrix,) = wire({"w": (4, 3)}).matrices
    with pytest.raises(ValueError, match=r"w: got shape \(3, 4\); expected \(4, 3\)"):
        matrix.view.of(torch.ones(3, 4))
