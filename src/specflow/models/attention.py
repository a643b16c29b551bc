"""Causal self-attention, and its short cut where few distinct tokens make up a large batch.

Dimensions: B batch, T positions, L the last L of them (the queries), V tokens, D d_model, H heads,
K = D / H.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional


def causal_attention(q_BLD: Tensor, k_BTD: Tensor, v_BTD: Tensor, num_heads: int) -> Tensor:
    """Return what the queries of the last L positions read from values up to their own position.

    L is T or 1, H a divisor of D; returned are the outputs (B, L, D) of the heads side by side.
    """
    if q_BLD.shape[1] == 1:
        return _attention_of_last(q_BLD, k_BTD, v_BTD, num_heads)
    q_BHTK, k_BHTK, v_BHTK = (
        x.unflatten(-1, (num_heads, -1)).transpose(1, 2) for x in (q_BLD, k_BTD, v_BTD)
    )
    out_BHTK = functional.scaled_dot_product_attention(q_BHTK, k_BHTK, v_BHTK, is_causal=True)
    return out_BHTK.transpose(1, 2).flatten(2)


def _attention_of_last(q_B1D: Tensor, k_BTD: Tensor, v_BTD: Tensor, num_heads: int) -> Tensor:
    """Element by element: for one query torch's kernels take longer on short sequences."""
    heads = (num_heads, q_B1D.shape[-1] // num_heads)
    score_BTH = (q_B1D * k_BTD).unflatten(-1, heads).sum(-1)
    weight_BTH = (score_BTH / math.sqrt(heads[1])).softmax(dim=1)
    out_BHK = (weight_BTH[..., None] * v_BTD.unflatten(-1, heads)).sum(1)
    return out_BHK.flatten(1)[:, None]


def last_attention_from_tables(
    q_VHK: Tensor, k_VTHK: Tensor, v_VTHK: Tensor, out_DHK: Tensor, tokens: Tensor
) -> Tensor:
    """Return the projected attention output of the last position of first-block sequences.

    Scores are computed once for each (last token, token, position), and values go through the
    output projection once for each (token, position, head). What is left for a sample is a sum of
    T * H rows, weighted by attention.

    Args:
        q_VHK: Query of every token at the last position, shape (V, H, K).
        k_VTHK: Key of every token at every position, shape (V, T, H, K).
        v_VTHK: Values, likewise.
        out_DHK: Weight of the output projection, shape (D, H, K).
        tokens: Shape (B, T), int64.

    Returns:
        Shape (B, D), without the bias of the projection.
    """
    num_tokens, length, num_heads, width = k_VTHK.shape
    score_QVTH = torch.einsum("qhk,vthk->qvth", q_VHK / math.sqrt(width), k_VTHK)
    value_VTHD = torch.einsum("vthk,dhk->vthd", v_VTHK, out_DHK)
    row_BT = table_rows(tokens)
    score_BTH = take_rows(score_QVTH.flatten(0, 2), tokens[:, -1:] * (num_tokens * length) + row_BT)
    row_BTH = row_BT[..., None] * num_heads + torch.arange(num_heads, device=tokens.device)
    return functional.embedding_bag(
        row_BTH.flatten(1),
        value_VTHD.flatten(0, 2),
        mode="sum",
        per_sample_weights=score_BTH.softmax(dim=1).flatten(1).to(value_VTHD.dtype),
    )


def tables_pay(num_tokens: int, tokens: Tensor, num_heads: int, d_model: int) -> bool:
    """Return whether `last_attention_from_tables` is the faster way for a batch of tokens (B, T).

    The table of scores must be no larger than the keys of the batch, that of values much smaller
    than the values, and the rows summed for a sample few beside the D rows of the projection that
    they replace.
    """
    batch, length = tokens.shape
    return (
        num_tokens**2 * num_heads <= batch * d_model
        and num_tokens * num_heads * 4 <= batch
        and length * num_heads * 4 <= d_model
    )


def table_rows(tokens: Tensor) -> Tensor:
    """Return the row of each token of (B, T) in a table (V, T, ...) whose first two are one."""
    length = tokens.shape[1]
    return tokens * length + torch.arange(length, device=tokens.device)


def take_rows(table: Tensor, index: Tensor) -> Tensor:
    """Return the rows of a table (N, D) at an index of any shape: shape (*index.shape, D).

    On the CPU its gradient is faster than those of `embedding` and of subscription.
    """
    return table.index_select(0, index.flatten()).unflatten(0, index.shape)
