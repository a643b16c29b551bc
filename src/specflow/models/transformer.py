"""Pre-norm transformer with sinusoidal positions (Vaswani et al. 2017), norms removable.

Dimensions: B batch, T positions, V tokens, D d_model, M d_mlp, L positions whose output is wanted
(T, or 1 where the loss needs the last position only).
"""

import math
from itertools import islice
from typing import ClassVar, Literal

import torch
from pydantic import model_validator
from torch import Tensor, nn

from specflow.datasets.shapes import TokenShape
from specflow.models.attention import (
    causal_attention,
    last_attention_from_tables,
    table_rows,
    tables_pay,
    take_rows,
)
from specflow.models.linear import Linear, linear
from specflow.models.network import ModelSection, Network
from specflow.section import Depth, Width
from specflow.wiring import Wiring
from specflow.wiring.transformer import transformer_wiring
from specflow.wiring.vocabulary import Role

ALL, LAST = slice(None), slice(-1, None)


class TransformerParams(ModelSection):
    """Pre-norm transformer of any number of blocks, with sinusoidal positions.

    Attributes:
        num_blocks: Number of blocks.
        d_model: Width, an even number.
        num_heads: Attention heads of a block, a divisor of the width.
        d_mlp: Hidden units of the MLP of a block.
        norm: LayerNorm before attention and MLP (the paper's language model), with `layer_final`
            also before the output layer, or none.
    """

    kind: Literal["transformer"]
    num_blocks: Depth
    d_model: Width
    num_heads: Width
    d_mlp: Width
    norm: Literal["none", "layer", "layer_final"]
    reads: ClassVar[str] = "tokens"
    solves: ClassVar[tuple[str, ...]] = ("classification", "language_modelling")

    @model_validator(mode="after")
    def _dimensions_fit(self) -> "TransformerParams":
        if self.d_model % self.num_heads:
            raise ValueError(
                f"num_heads = {self.num_heads} does not divide d_model = {self.d_model}; "
                "expected a divisor"
            )
        if self.d_model % 2:
            raise ValueError(
                f"d_model = {self.d_model} is odd; sinusoidal positions need an even number"
            )
        return self

    def _build(self, shape: TokenShape, last_position_only: bool) -> "Transformer":
        return Transformer(self, shape, last_position_only=last_position_only)


class TransformerBlock(nn.Module):
    """A block with the parameters, names and initialization of `torch.nn.TransformerEncoderLayer`.

    The same inputs at the same positions have the same keys and values: `from_table` computes
    them once for each distinct input of a batch.
    """

    def __init__(self, params: TransformerParams) -> None:
        """Build the block; with `norm: none` both norms pass their input on."""
        super().__init__()
        self.self_attn = nn.MultiheadAttention(params.d_model, params.num_heads, batch_first=True)
        self.linear1 = Linear(params.d_model, params.d_mlp)
        self.linear2 = Linear(params.d_mlp, params.d_model)
        self.norm1, self.norm2 = (
            build_norm(params.norm != "none", params.d_model) for _ in range(2)
        )

    def forward(self, x_BTD: Tensor, wanted: slice = ALL) -> Tensor:
        """Return the block's output (B, L, D) at the wanted positions, ALL or LAST."""
        return self._finish(x_BTD[:, wanted], *self._project(x_BTD, wanted))

    def from_table(self, x_VTD: Tensor, tokens: Tensor, wanted: slice = ALL) -> Tensor:
        """Return the same for the inputs that tokens (B, T) take from a table (V, T, D)."""
        num_tokens, _, d_model = x_VTD.shape
        if wanted == LAST and tables_pay(num_tokens, tokens, self.self_attn.num_heads, d_model):
            return self._last_from_table(x_VTD, tokens)
        q_VLD, *kv_VTD = (x.flatten(0, 1) for x in self._project(x_VTD, wanted))
        x_VLD = x_VTD[:, wanted].flatten(0, 1)
        row_BL, row_BT = table_rows(tokens[:, wanted]), table_rows(tokens)
        x_BLD, q_BLD = take_rows(x_VLD, row_BL), take_rows(q_VLD, row_BL)
        k_BTD, v_BTD = (take_rows(x, row_BT) for x in kv_VTD)
        return self._finish(x_BLD, q_BLD, k_BTD, v_BTD)

    def _last_from_table(self, x_VTD: Tensor, tokens: Tensor) -> Tensor:
        """Return the output at the last position (B, 1, D); scores and values are tables too."""
        attention = self.self_attn
        heads = (attention.num_heads, -1)
        q_V1HK, k_VTHK, v_VTHK = (x.unflatten(-1, heads) for x in self._project(x_VTD, LAST))
        out_DHK = attention.out_proj.weight.unflatten(1, heads)
        out_BD = last_attention_from_tables(q_V1HK.squeeze(1), k_VTHK, v_VTHK, out_DHK, tokens)
        x_VD = x_VTD[:, -1] + attention.out_proj.bias
        return self._add_mlp(take_rows(x_VD, tokens[:, -1]) + out_BD)[:, None]

    def _project(self, x_BTD: Tensor, wanted: slice) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries (B, L, D) of the wanted positions, and all keys and values (B, T, D)."""
        attention, d_model = self.self_attn, x_BTD.shape[-1]
        query_weight, kv_weight = attention.in_proj_weight.split([d_model, 2 * d_model])
        query_bias, kv_bias = attention.in_proj_bias.split([d_model, 2 * d_model])
        x_BTD = self.norm1(x_BTD)
        q_BLD = linear(x_BTD[:, wanted], query_weight, query_bias)
        k_BTD, v_BTD = linear(x_BTD, kv_weight, kv_bias).chunk(2, dim=-1)
        return q_BLD, k_BTD, v_BTD

    def _finish(self, x_BLD: Tensor, q_BLD: Tensor, k_BTD: Tensor, v_BTD: Tensor) -> Tensor:
        out_BLD = causal_attention(q_BLD, k_BTD, v_BTD, self.self_attn.num_heads)
        project = self.self_attn.out_proj
        return self._add_mlp(x_BLD + linear(out_BLD, project.weight, project.bias))

    def _add_mlp(self, x: Tensor) -> Tensor:
        return x + self.linear2(self.linear1(self.norm2(x)).relu())


class Transformer(Network):
    """Token transformer with causal attention."""

    positions: Tensor

    def __init__(
        self, params: TransformerParams, shape: TokenShape, *, last_position_only: bool = False
    ) -> None:
        """Build the network; `last_position_only` computes the logits of the last position alone.

        Embedding and output weights are uniform in [-0.1, 0.1], the output bias is zero,
        everything else as torch initializes it.
        """
        super().__init__()
        self._last_only = last_position_only
        self.embedding = nn.Embedding(shape.num_tokens, params.d_model)
        self.blocks = nn.ModuleList(TransformerBlock(params) for _ in range(params.num_blocks))
        self.norm = build_norm(params.norm == "layer_final", params.d_model)
        self.output = Linear(params.d_model, shape.num_tokens)
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        nn.init.uniform_(self.output.weight, -0.1, 0.1)
        nn.init.zeros_(self.output.bias)
        positions = sinusoidal_positions(shape.length, params.d_model)
        self.register_buffer("positions", positions, persistent=False)
        self.wiring = _wiring(self, params)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return logits (B, T, V), or (B, V) with `last_position_only`, of int64 tokens (B, T)."""
        wanted = [ALL] * len(self.blocks)
        if self._last_only:
            wanted[-1] = LAST
        x_BLD = self._first_block(tokens, wanted[0])
        for block, positions in islice(zip(self.blocks, wanted, strict=True), 1, None):
            x_BLD = block(x_BLD, positions)
        logits_BLV = self.output(self.norm(x_BLD))
        return logits_BLV.squeeze(1) if self._last_only else logits_BLV

    def _first_block(self, tokens: Tensor, wanted: slice) -> Tensor:
        """Return the first block's output, by a table of its inputs where these repeat a lot."""
        block = self.blocks[0]
        assert isinstance(block, TransformerBlock)
        scale = math.sqrt(self.embedding.embedding_dim)
        positions_TD = self.positions[: tokens.shape[1]]
        if len(tokens) < 2 * self.embedding.num_embeddings:
            return block(self.embedding(tokens) * scale + positions_TD, wanted)
        x_VTD = self.embedding.weight[:, None] * scale + positions_TD
        return block.from_table(x_VTD, tokens, wanted)


def build_norm(wanted: bool, d_model: int) -> nn.Module:
    """Return a LayerNorm, or what passes its input on."""
    return nn.LayerNorm(d_model) if wanted else nn.Identity()


def sinusoidal_positions(length: int, d_model: int) -> Tensor:
    """Return the position table (T, D) of Vaswani et al. 2017, section 3.5, for an even width.

    Sines are at even columns, cosines at odd ones, of wavelengths 2 pi to 20000 pi.
    """
    rates = torch.exp(torch.arange(0, d_model, 2) * (-math.log(10000.0) / d_model))
    angles = torch.arange(length)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


def _wiring(model: Transformer, params: TransformerParams) -> Wiring:
    names: dict[Role, str] = {
        "attention in": "self_attn.in_proj_weight",
        "attention out": "self_attn.out_proj.weight",
        "MLP in": "linear1.weight",
        "MLP out": "linear2.weight",
    }
    blocks = [
        {
            role: model.matrix(f"blocks.{index}.{name}", f"block {index + 1} {role}", role)
            for role, name in names.items()
        }
        for index in range(params.num_blocks)
    ]
    embedding = model.matrix("embedding.weight", "embedding", "embedding")
    output = model.matrix("output.weight", "output", "output")
    return transformer_wiring(embedding, blocks, output, params.num_heads)
