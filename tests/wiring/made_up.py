"""State dicts in public layouts, of tiny sizes: names and shapes are as in the originals."""

import torch
from torch import Tensor


def _filled(shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def gpt_neox(d: int = 8, vocabulary: int = 11, blocks: int = 2) -> dict[str, Tensor]:
    shapes: dict[str, tuple[int, ...]] = {"gpt_neox.embed_in.weight": (vocabulary, d)}
    for index in range(blocks):
        block = f"gpt_neox.layers.{index}"
        shapes |= {
            f"{block}.input_layernorm.weight": (d,),
            f"{block}.attention.bias": (1, 1, 16, 16),
            f"{block}.attention.masked_bias": (),
            f"{block}.attention.rotary_emb.inv_freq": (2,),
            f"{block}.attention.query_key_value.weight": (3 * d, d),
            f"{block}.attention.query_key_value.bias": (3 * d,),
            f"{block}.attention.dense.weight": (d, d),
            f"{block}.mlp.dense_h_to_4h.weight": (4 * d, d),
            f"{block}.mlp.dense_4h_to_h.weight": (d, 4 * d),
        }
    return _filled(
        shapes | {"gpt_neox.final_layer_norm.weight": (d,), "embed_out.weight": (vocabulary, d)}
    )


def gpt2(
    d: int = 8, vocabulary: int = 11, blocks: int = 2, *, prefix: str = "", linear: bool = False
) -> dict[str, Tensor]:
    shapes: dict[str, tuple[int, ...]] = {
        f"{prefix}wte.weight": (vocabulary, d),
        f"{prefix}wpe.weight": (16, d),
    }
    for index in range(blocks):
        block = f"{prefix}h.{index}"
        inputs_first = {
            f"{block}.attn.c_attn.weight": (d, 3 * d),
            f"{block}.attn.c_proj.weight": (d, d),
            f"{block}.mlp.c_fc.weight": (d, 4 * d),
            f"{block}.mlp.c_proj.weight": (4 * d, d),
        }
        shapes |= {f"{block}.ln_1.weight": (d,), f"{block}.attn.bias": (1, 1, 16, 16)}
        shapes |= {n: s[::-1] if linear else s for n, s in inputs_first.items()}
    return _filled(shapes)


def llama(
    d: int = 8, vocabulary: int = 11, blocks: int = 2, *, kv: int | None = None, head: bool = True
) -> dict[str, Tensor]:
    kv = kv or d
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (vocabulary, d)}
    for index in range(blocks):
        block = f"model.layers.{index}"
        shapes |= {
            f"{block}.input_layernorm.weight": (d,),
            f"{block}.self_attn.q_proj.weight": (d, d),
            f"{block}.self_attn.k_proj.weight": (kv, d),
            f"{block}.self_attn.v_proj.weight": (kv, d),
            f"{block}.self_attn.o_proj.weight": (d, d),
            f"{block}.mlp.gate_proj.weight": (12, d),
            f"{block}.mlp.up_proj.weight": (12, d),
            f"{block}.mlp.down_proj.weight": (d, 12),
        }
    return _filled(shapes | ({"lm_head.weight": (vocabulary, d)} if head else {}))
