"""State dicts in public layouts, of tiny sizes: names and shapes are as in the originals."""

import torch
from torch import Tensor

D, VOCABULARY = 8, 11


def _filled(shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def gpt_neox(blocks: int = 2) -> dict[str, Tensor]:
    shapes: dict[str, tuple[int, ...]] = {"gpt_neox.embed_in.weight": (VOCABULARY, D)}
    for index in range(blocks):
        block = f"gpt_neox.layers.{index}"
        shapes |= {
            f"{block}.input_layernorm.weight": (D,),
            f"{block}.attention.bias": (1, 1, 16, 16),
            f"{block}.attention.masked_bias": (),
            f"{block}.attention.rotary_emb.inv_freq": (2,),
            f"{block}.attention.query_key_value.weight": (3 * D, D),
            f"{block}.attention.query_key_value.bias": (3 * D,),
            f"{block}.attention.dense.weight": (D, D),
            f"{block}.mlp.dense_h_to_4h.weight": (4 * D, D),
            f"{block}.mlp.dense_4h_to_h.weight": (D, 4 * D),
        }
    last = {"gpt_neox.final_layer_norm.weight": (D,), "embed_out.weight": (VOCABULARY, D)}
    return _filled(shapes | last)


def gpt2(prefix: str = "", linear: bool = False) -> dict[str, Tensor]:
    shapes: dict[str, tuple[int, ...]] = {
        f"{prefix}wte.weight": (VOCABULARY, D),
        f"{prefix}wpe.weight": (16, D),
    }
    for index in range(2):
        block = f"{prefix}h.{index}"
        inputs_first = {
            f"{block}.attn.c_attn.weight": (D, 3 * D),
            f"{block}.attn.c_proj.weight": (D, D),
            f"{block}.mlp.c_fc.weight": (D, 4 * D),
            f"{block}.mlp.c_proj.weight": (4 * D, D),
        }
        shapes |= {f"{block}.ln_1.weight": (D,), f"{block}.ln_2.weight": (D,)}
        shapes |= {f"{block}.attn.bias": (1, 1, 16, 16)}
        shapes |= {n: s[::-1] if linear else s for n, s in inputs_first.items()}
    return _filled(shapes | {f"{prefix}ln_f.weight": (D,)})


def llama(blocks: int = 2, kv: int = D, head: bool = True) -> dict[str, Tensor]:
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (VOCABULARY, D)}
    for index in range(blocks):
        block = f"model.layers.{index}"
        shapes |= {
            f"{block}.input_layernorm.weight": (D,),
            f"{block}.post_attention_layernorm.weight": (D,),
            f"{block}.self_attn.q_proj.weight": (D, D),
            f"{block}.self_attn.k_proj.weight": (kv, D),
            f"{block}.self_attn.v_proj.weight": (kv, D),
            f"{block}.self_attn.o_proj.weight": (D, D),
            f"{block}.mlp.gate_proj.weight": (12, D),
            f"{block}.mlp.up_proj.weight": (12, D),
            f"{block}.mlp.down_proj.weight": (D, 12),
        }
    shapes |= {"model.norm.weight": (D,)}
    return _filled(shapes | ({"lm_head.weight": (VOCABULARY, D)} if head else {}))
