import math

import pytest
import torch
from torch import Tensor

from specflow.models.attention import (
    causal_attention,
    last_attention_from_tables,
    table_rows,
    tables_pay,
    take_rows,
)

V, T, H, K = 5, 3, 2, 4


def naive_attention(q: Tensor, k: Tensor, v: Tensor, num_heads: int) -> Tensor:
    """One sample, head and query at a time."""
    width = q.shape[-1] // num_heads
    out = torch.zeros_like(q)
    for sample in range(len(q)):
        for head in range(num_heads):
            part = slice(head * width, (head + 1) * width)
            for position in range(q.shape[1]):
                seen = k.shape[1] - q.shape[1] + position + 1
                scores = k[sample, :seen, part] @ q[sample, position, part] / math.sqrt(width)
                out[sample, position, part] = scores.softmax(0) @ v[sample, :seen, part]
    return out


def random(*shape: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("queries", [T, 1])
def test_causal_attention_matches_naive(queries):
    q, k, v = (random(7, T, H * K, seed=seed) for seed in range(3))
    q = q[:, -queries:]
    torch.testing.assert_close(causal_attention(q, k, v, H), naive_attention(q, k, v, H))


def test_last_attention_from_tables_matches_naive():
    q, k, v = random(V, H, K, seed=0), random(V, T, H, K, seed=1), random(V, T, H, K, seed=2)
    out = random(H * K, H, K, seed=3)
    tokens = torch.randint(V, (20, T), generator=torch.Generator().manual_seed(4))
    gathered = [x[tokens, torch.arange(T)].flatten(2) for x in (k, v)]
    expected = naive_attention(q[tokens[:, -1:]].flatten(2), *gathered, H)[:, 0] @ out.flatten(1).T
    torch.testing.assert_close(last_attention_from_tables(q, k, v, out, tokens), expected)


def test_take_rows_at_table_rows_is_subscription():
    table, tokens = random(V, T, K, seed=0), torch.tensor([[0, 4, 2], [3, 3, 3]])
    taken = take_rows(table.flatten(0, 1), table_rows(tokens))
    assert torch.equal(taken, table[tokens, torch.arange(T)])


@pytest.mark.parametrize(
    ("num_tokens", "batch", "length", "pays"),
    [
        (114, 3830, 3, True),  # the paper's modular addition
        (114, 1800, 3, False),  # the table of values is not much smaller than the values
        (600, 10_000, 3, False),  # the table of scores is larger than the keys
        (114, 3830, 64, False),  # more rows to sum than the projection has
    ],
)
def test_tables_pay_where_tokens_are_few(num_tokens, batch, length, pays):
    tokens = torch.zeros(batch, length, dtype=torch.int64)
    assert tables_pay(num_tokens, tokens, num_heads=4, d_model=128) == pays
