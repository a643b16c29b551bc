"""The matrices that are taken out of fused weights do what the real attention does with them."""

import pytest
import torch
from tests.wiring import made_up
from torch import nn
from torch.nn import functional

D, HEADS = made_up.D, 2


def heads_of(x, count=HEADS):
    return x.unflatten(-1, (count, -1)).transpose(1, 2)


def attend(queries, keys, values):
    mixed = functional.scaled_dot_product_attention(*map(heads_of, (queries, keys, values)))
    return mixed.transpose(1, 2).flatten(2)


def by_parts(parts, x, keys, block="block 1 "):
    """Attention written with one matrix (outputs, inputs) for each of its parts."""
    query, key, value, out = (
        parts[f"{block}{role}"] for role in ("query", "key", "value", "attention out")
    )
    return attend(x @ query.T, keys @ key.T, keys @ value.T) @ out.T


@pytest.fixture
def x():
    return torch.randn(3, 5, D, generator=torch.Generator().manual_seed(1))


def test_gpt_neox(take, x):
    """GPT-NeoX sees a row of the projection as (heads, 3 * size of a head)."""
    tensors = made_up.gpt_neox()
    layer = "gpt_neox.layers.0.attention"
    qkv = functional.linear(x, tensors[f"{layer}.query_key_value.weight"])
    qkv = qkv.view(3, 5, HEADS, 3 * D // HEADS).transpose(1, 2)
    mixed = functional.scaled_dot_product_attention(*qkv.chunk(3, dim=-1))
    expected = functional.linear(mixed.transpose(1, 2).flatten(2), tensors[f"{layer}.dense.weight"])
    found = by_parts(take(tensors, num_heads=HEADS), x, x)
    torch.testing.assert_close(found, expected)
    thirds = [{"match": "*query_key_value", "split": ["q", "k", "v"]}]
    wrong = by_parts(take(tensors, num_heads=HEADS, fused=thirds), x, x)
    assert not torch.allclose(wrong, expected)


def test_gpt2(take, x):
    """GPT-2's Conv1D multiplies from the right, then splits its outputs in three."""
    tensors = made_up.gpt2()
    parts = take(tensors)
    q, k, v = (x @ tensors["h.0.attn.c_attn.weight"]).split(D, dim=2)
    expected = attend(q, k, v) @ tensors["h.0.attn.c_proj.weight"]
    torch.testing.assert_close(by_parts(parts, x, x), expected)
    hidden = functional.gelu(x @ tensors["h.1.mlp.c_fc.weight"])
    expected = hidden @ tensors["h.1.mlp.c_proj.weight"]
    found = functional.gelu(x @ parts["block 2 MLP in"].T) @ parts["block 2 MLP out"].T
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("kdim", [None, 6])
def test_multihead_attention_of_torch(take, x, kdim):
    module = nn.MultiheadAttention(D, HEADS, bias=False, batch_first=True, kdim=kdim, vdim=kdim)
    keys = x[..., : kdim or D]
    parts = take(module.state_dict(), num_heads=HEADS)
    torch.testing.assert_close(by_parts(parts, x, keys, block=""), module(x, keys, keys)[0])


def test_heads_of_queries_and_keys_give_the_scores_of_real_heads(wire, x):
    """Grouped: 4 heads of queries, 2 of keys."""
    tensors = made_up.llama(kv=4)
    q, k = (
        heads_of(x @ tensors[f"model.layers.0.self_attn.{name}_proj.weight"].T, count)
        for name, count in (("q", 4), ("k", 2))
    )
    expected = q @ k.repeat_interleave(2, dim=1).mT
    pairs = {pair.label: pair for pair in wire(tensors, num_heads=4).pairs}
    for head, meeting in enumerate(pairs["block 1 query -> block 1 key"].meetings):
        query, key = (v.of(tensors[v.tensor]) for v in (meeting.previous, meeting.following))
        torch.testing.assert_close((x @ query.T) @ (x @ key.T).mT, expected[:, head])


@pytest.mark.parametrize("tensors", [made_up.gpt_neox(), made_up.gpt2()], ids=["neox", "gpt2"])
def test_heads_are_rows_of_their_queries(wire, take, tensors):
    pairs = {pair.label: pair for pair in wire(tensors, num_heads=HEADS).pairs}
    meetings = pairs["block 1 query -> block 1 key"].meetings
    heads = [m.previous.of(tensors[m.previous.tensor]) for m in meetings]
    assert torch.equal(torch.cat(heads), take(tensors, num_heads=HEADS)["block 1 query"])
