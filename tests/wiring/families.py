"""Names and shapes of two blocks of public families, as their libraries have them, in tiny sizes.

`D` numbers pass from block to block, an MLP has `F` hidden units, an attention `H` heads.
"""

from collections.abc import Mapping

D, F, H, KV, V = 8, 12, 4, 2, 11
SIZE = D // H

Shapes = dict[str, tuple[int, ...]]


def _blocks(path: str, inside: Mapping[str, tuple[int, ...]], count: int = 2) -> Shapes:
    return {
        f"{path}.{index}.{name}.weight": shape
        for index in range(count)
        for name, shape in inside.items()
    }


def _attention(names: str, owner: str = "self_attn", kv: int = D) -> Shapes:
    query, key, value, out = (f"{owner}.{name}" for name in names.split())
    return {query: (D, D), key: (kv, D), value: (kv, D), out: (D, D)}


_PROJ = "q_proj k_proj v_proj out_proj"
_TWO_NORMS = {"norm1": (D,), "norm2": (D,)}
_GATED = {"mlp.gate_proj": (F, D), "mlp.up_proj": (F, D), "mlp.down_proj": (D, F)}

BERT = {
    "bert.embeddings.word_embeddings.weight": (V, D),
    **_blocks(
        "bert.encoder.layer",
        {
            **_attention("self.query self.key self.value output.dense", "attention"),
            "attention.output.LayerNorm": (D,),
            "intermediate.dense": (F, D),
            "output.dense": (D, F),
            "output.LayerNorm": (D,),
        },
    ),
    "cls.predictions.transform.dense.weight": (D, D),
    "cls.predictions.transform.LayerNorm.weight": (D,),
    "cls.predictions.decoder.weight": (V, D),
}
DISTILBERT = {
    "distilbert.embeddings.word_embeddings.weight": (V, D),
    **_blocks(
        "distilbert.transformer.layer",
        {
            **_attention("q_lin k_lin v_lin out_lin", "attention"),
            "sa_layer_norm": (D,),
            "ffn.lin1": (F, D),
            "ffn.lin2": (D, F),
            "output_layer_norm": (D,),
        },
    ),
}
OPT = {
    "model.decoder.embed_tokens.weight": (V, D),
    **_blocks(
        "model.decoder.layers",
        {
            **_attention(_PROJ),
            "self_attn_layer_norm": (D,),
            "fc1": (F, D),
            "fc2": (D, F),
            "final_layer_norm": (D,),
        },
    ),
    "lm_head.weight": (V, D),
}
GPT_NEO = {
    "transformer.wte.weight": (V, D),
    **_blocks(
        "transformer.h",
        {
            **_attention(_PROJ, "attn.attention"),
            "ln_1": (D,),
            "ln_2": (D,),
            "mlp.c_fc": (F, D),
            "mlp.c_proj": (D, F),
        },
    ),
    "transformer.ln_f.weight": (D,),
}
TIMM_VIT = {
    "cls_token": (1, 1, D),
    "pos_embed": (1, 5, D),
    "patch_embed.proj.weight": (D, 3, 2, 2),
    **_blocks(
        "blocks",
        {
            **_TWO_NORMS,
            "attn.qkv": (3 * D, D),
            "attn.proj": (D, D),
            "mlp.fc1": (F, D),
            "mlp.fc2": (D, F),
        },
    ),
    "head.weight": (V, D),
}
MODERNBERT = {
    "model.embeddings.tok_embeddings.weight": (V, D),
    **_blocks(
        "model.layers",
        {
            "attn_norm": (D,),
            "mlp_norm": (D,),
            "attn.Wqkv": (3 * D, D),
            "attn.Wo": (D, D),
            "mlp.Wi": (2 * F, D),
            "mlp.Wo": (D, F),
        },
    ),
    "head.dense.weight": (D, D),
    "head.norm.weight": (D,),
    "decoder.weight": (V, D),
}
MODERNBERT.pop("model.layers.0.attn_norm.weight")  # an identity there
MIXTRAL = {
    "model.embed_tokens.weight": (V, D),
    **_blocks(
        "model.layers",
        {
            **_attention("q_proj k_proj v_proj o_proj", kv=KV * SIZE),
            "input_layernorm": (D,),
            "post_attention_layernorm": (D,),
            "block_sparse_moe.gate": (3, D),
            **{
                f"block_sparse_moe.experts.{expert}.{name}": (D, F) if name == "w2" else (F, D)
                for expert in range(3)
                for name in ("w1", "w2", "w3")
            },
        },
    ),
    "lm_head.weight": (V, D),
}
GPT_J = {
    "transformer.wte.weight": (V, D),
    **_blocks(
        "transformer.h",
        {
            **_attention(_PROJ, "attn"),
            "ln_1": (D,),
            "mlp.fc_in": (F, D),
            "mlp.fc_out": (D, F),
        },
    ),
    "lm_head.weight": (V, D),
}
PHI = {
    "model.embed_tokens.weight": (V, D),
    **_blocks(
        "model.layers",
        {
            **_attention("q_proj k_proj v_proj dense"),
            "input_layernorm": (D,),
            "mlp.fc1": (F, D),
            "mlp.fc2": (D, F),
        },
    ),
    "lm_head.weight": (V, D),
}
COHERE = {
    "model.embed_tokens.weight": (V, D),
    **_blocks(
        "model.layers",
        {**_attention("q_proj k_proj v_proj o_proj"), "input_layernorm": (D,), **_GATED},
    ),
}
FALCON_H1 = {
    "model.embed_tokens.weight": (V, D),
    **_blocks(
        "model.layers",
        {
            **_attention("q_proj k_proj v_proj o_proj", kv=KV * SIZE),
            "mamba.in_proj": (2 * D + 6, D),
            "mamba.out_proj": (D, D),
            "input_layernorm": (D,),
            "pre_ff_layernorm": (D,),
            **{name.replace("mlp", "feed_forward"): shape for name, shape in _GATED.items()},
        },
    ),
}
SEGFORMER = _blocks(
    "stages.0.blocks",
    {
        **_attention("q_proj k_proj v_proj o_proj", "attention"),
        "layer_norm_1": (D,),
        "layer_norm_2": (D,),
        "mlp.fc1": (F, D),
        "mlp.fc2": (D, F),
    },
) | {
    f"stages.0.blocks.{index}.mlp.dwconv.dwconv.{name}": shape
    for index in range(2)
    for name, shape in (("weight", (F, 1, 3, 3)), ("bias", (F,)))
}

SEQUENTIAL = {
    "BERT": BERT,
    "DistilBERT": DISTILBERT,
    "OPT": OPT,
    "GPT-Neo": GPT_NEO,
    "timm ViT": TIMM_VIT,
    "ModernBERT": MODERNBERT,
    "Mixtral": MIXTRAL,
}
PARALLEL = {"GPT-J": GPT_J, "Phi": PHI, "Cohere": COHERE}
EVERY: Mapping[str, Shapes] = SEQUENTIAL | PARALLEL
