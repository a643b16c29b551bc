"""How the common libraries name the matrices of a transformer: one list for all families."""

import re
from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args

Role = Literal[  # in order of depth
    "attention in",
    "query down",
    "query up",
    "query",
    "key value down",
    "key value up",
    "key value",
    "key",
    "value",
    "receptance",
    "attention gate",
    "attention out",
    "cross attention in",
    "cross query",
    "cross key value",
    "cross key",
    "cross value",
    "cross attention out",
    "mixer in",
    "mixer convolution",
    "mixer parameters",
    "mixer time step",
    "mixer out",
    "router",
    "MLP gate",
    "MLP in",
    "MLP first half",
    "MLP second half",
    "MLP receptance",
    "MLP convolution",
    "MLP out",
]
ROLES: tuple[Role, ...] = get_args(Role)

LayoutName = Literal["auto", "gpt_neox", "gpt2", "llama", "torch", "none"]

# Names that a checkpoint of a layout has; who asks for one is told if it is not there.
MARKS: Mapping[LayoutName, str] = {
    "gpt_neox": r".*layers\.\d+\.attention\.query_key_value\.weight",
    "gpt2": r".*h\.\d+\.attn\.c_attn\.weight",
    "llama": r".*layers\.\d+\.(self_attn\.q_proj|attention\.wq)\.weight",
    "torch": r".*",
}

_QUERY = "q_proj|q|query|q_lin|wq|Wq|query_proj|to_q|q_attn|linear_q|q_proj_weight"
_KEY = "k_proj|k|key|k_lin|wk|Wk|key_proj|to_k|linear_k|k_proj_weight"
_VALUE = "v_proj|v|value|v_lin|wv|Wv|value_proj|to_v|linear_v|v_proj_weight"
_WHOLE = "query_key_value|c_attn|Wqkv|wqkv|qkv|qkv_proj|in_proj|in_proj_weight|linear_qkv|W_pack"
_BOTH = "kv|key_value|kv_proj|to_kv"
_OUT = (
    r"o_proj|out_proj|o|dense|output\.dense|output|c_proj|proj|projection|out_lin|wo|Wo|to_out|to_out\.0|linear_proj"
    "|linear_out"
)
_SELF = "self_attn|self_attention|attn|attn1|attention|SelfAttention|rel_attn|att"
_CROSS = (
    "encoder_attn|encoder_attention|crossattention|cross_attention|cross_attn|EncDecAttention"
    "|multihead_attn|attn2"
)
_MLP = "mlp|ffn|feed_forward|ff|DenseReluDense|block_sparse_moe|moe"
_UP = (
    "up_proj|fc1|c_fc|dense_h_to_4h|lin1|linear1|wi|wi_1|Wi|fc_in|w3|w12|linear_fc1"
    "|intermediate_dense|gate_up_proj|weights_in|layer_1"
)
_DOWN = (
    "down_proj|fc2|c_proj|dense_4h_to_h|lin2|linear2|wo|Wo|fc_out|w2|linear_fc2|output_dense"
    "|weights_out|layer_2"
)
_UNIT = r"(?:experts\.(?P<number>\d+)|(?P<stacked>experts)|(?P<shared>shared_experts?|shared_mlp))"


def _attention(owner: str, names: str) -> str:
    return rf"(?:layer\.\d+\.)?(?:{owner})(?:\.(?:self|attention))?\.(?:{names})"


def _mlp(names: str) -> str:
    return rf"(?:layer\.\d+\.)?(?:{_MLP})(?:\.{_UNIT})?\.(?:{names})"


_ROLE_OF: tuple[tuple[Role, str], ...] = (
    ("attention in", _attention(_SELF, _WHOLE)),
    ("query down", _attention(_SELF, "q_a_proj")),
    ("query up", _attention(_SELF, "q_b_proj")),
    ("query", _attention(_SELF, _QUERY)),
    ("key value down", _attention(_SELF, "kv_a_proj_with_mqa")),
    ("key value up", _attention(_SELF, "kv_b_proj")),
    ("key value", _attention(_SELF, _BOTH)),
    ("key", _attention(_SELF, _KEY)),
    ("value", _attention(_SELF, _VALUE)),
    ("receptance", r"(?:attention|att)\.receptance"),  # RWKV
    ("attention gate", r"att\.gate"),
    ("attention out", _attention(_SELF, _OUT)),
    ("cross query", _attention(_CROSS, _QUERY)),
    ("cross key value", _attention("crossattention", "c_attn")),
    ("cross key value", _attention(_CROSS, _BOTH)),
    ("cross attention in", _attention(_CROSS, _WHOLE)),
    ("cross key", _attention(_CROSS, _KEY)),
    ("cross value", _attention(_CROSS, _VALUE)),
    ("cross attention out", _attention(_CROSS, _OUT)),
    ("mixer in", r"(?:mixer|mamba)\.in_proj"),
    ("mixer convolution", r"(?:mixer|mamba)\.conv1d"),
    ("mixer parameters", r"(?:mixer|mamba)\.x_proj"),
    ("mixer time step", r"(?:mixer|mamba)\.dt_proj"),
    ("mixer out", r"(?:mixer|mamba)\.out_proj"),
    ("router", rf"(?:{_MLP})\.(?:gate|router|router\.layer|gate\.wg)"),
    ("MLP gate", _mlp("gate_proj|w1|wi_0|linear_gate")),
    ("MLP in", _mlp(_UP)),
    ("MLP convolution", rf"(?:{_MLP})\.dwconv(?:\.dwconv)?"),
    ("MLP out", _mlp(_DOWN)),
    ("MLP in", r"(?:feed_forward|ffn)\.key"),
    ("MLP receptance", r"(?:feed_forward|ffn)\.receptance"),
    ("MLP out", r"(?:feed_forward|ffn)\.value"),
    ("MLP in", r"fc1|linear1|intermediate\.dense|ffn"),
    ("MLP out", r"fc2|linear2|output\.dense|ffn_output"),
)
_EXPRESSIONS = tuple((role, re.compile(expression)) for role, expression in _ROLE_OF)

EMBEDDINGS = (
    *(
        "embed_tokens",
        "tok_embeddings",
        "wte",
        "emb",
        "word_embeddings",
        "embed_in",
        "token_embedding",
    ),
    *("shared", "embeddings", "embedding", "embed", "tok_emb", "token_emb", "tokens_embed"),
    *("word_embedding", "token_embeddings", "token_embedding_table", "token_embed"),
)
POSITIONS = (
    *("wpe", "position_embeddings", "position_embedding", "embed_positions"),
    *("positional_embedding", "pos_emb", "positions_embed", "position_embedding_table"),
    *("position", "positions", "pos_embedding", "position_embed"),
)
PATCHES = (
    *("patch_embed.proj", "patch_embeddings.projection", "patch_embedding", "conv_proj"),
    *("visual.conv1", "encoder.conv2"),
)
HEADS = (  # between the last block and the output layer
    *("predictions.transform.dense", "vocab_transform", "head.dense", "pooler.dense"),
    *("pre_classifier", "lm_head.dense", "classifier.dense"),
)
OUTPUTS = (
    *("lm_head", "embed_out", "output", "head", "head.fc", "heads.head", "classifier", "score"),
    *("proj_out", "visual_projection", "text_projection", "qa_outputs", "decoder"),
    *("vocab_projector", "lm_head.decoder", "classifier.out_proj", "output_projection"),
    *("generator_lm_head", "lm_loss", "pred_layer.proj"),
)
TIED = ("wte",)  # embeddings that are the output layer too, where there is none of its own


class Found(NamedTuple):
    """What the name of a matrix says of it.

    Attributes:
        role: What it does in its block.
        unit: Which of several MLPs it is of: "expert 3", "shared expert"; empty where there is one.
        stacked: Whether it holds the matrices of all experts.
    """

    role: Role
    unit: str
    stacked: bool


def role_of(name: str) -> Found | None:
    """Return what a name inside a block says, "self_attn.q_proj"; None if it is unknown."""
    for role, expression in _EXPRESSIONS:
        match = expression.fullmatch(name)
        if match is not None:
            groups = match.groupdict()
            number, shared = groups.get("number"), groups.get("shared")
            unit = f"expert {int(number) + 1}" if number else "shared expert" if shared else ""
            return Found(role, unit, bool(groups.get("stacked")))
    return None
