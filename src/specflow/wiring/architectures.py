"""Recognized architectures as data: how their tensors are named, and how they lie in files."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from specflow.errors import SpecflowError
from specflow.wiring.fusion import FusionParams
from specflow.wiring.names import some_of
from specflow.wiring.tensors import TensorInfo
from specflow.wiring.transformer import READERS, ROLES, Block, Role
from specflow.wiring.wiring import Matrix

LayoutName = Literal["auto", "gpt_neox", "gpt2", "llama", "torch", "none"]

_PARTS: dict[str, Role] = {"q": "query", "k": "key", "v": "value"}  # of an "attention in"
_QKV = tuple(_PARTS)


@dataclass(frozen=True)
class Architecture:
    """The naming of a family of transformers.

    Attributes:
        name: What params call it.
        mark: Regular expression that the names of some of its tensors match, and no others'.
        blocks: Regular expression of what stands before the number of a block.
        roles: The role of every matrix of a block, by its name after the number.
        embeddings: Last parts of the name of the token embedding.
        positions: Last parts of the name of the position embedding.
        outputs: Last parts of the name of the output layer.
        tied: True if the embedding is the output layer where there is none of its own.
        fused: Tensors that hold query, key and value.
        transposed: Patterns of tensors whose inputs come first.
    """

    name: LayoutName
    mark: str
    blocks: str
    roles: Mapping[str, Role]
    embeddings: tuple[str, ...]
    outputs: tuple[str, ...]
    positions: tuple[str, ...] = ()
    tied: bool = False
    fused: FusionParams | None = None
    transposed: tuple[str, ...] = ()

    def role_of(self, name: str) -> Role | None:
        """Return the role of a matrix of a block, by its name after the number."""
        whole, _, part = name.partition(":")
        role = self.roles.get(whole)
        if not part:
            return role
        return _PARTS.get(part) if role == "attention in" else None


GPT_NEOX = Architecture(
    name="gpt_neox",
    mark=r"(.*\.)?layers\.\d+\.attention\.query_key_value\.weight",
    blocks=r"layers\.",
    roles={
        "attention.query_key_value": "attention in",
        "attention.dense": "attention out",
        "mlp.dense_h_to_4h": "MLP in",
        "mlp.dense_4h_to_h": "MLP out",
    },
    embeddings=("embed_in",),
    outputs=("embed_out",),
    fused=FusionParams(match="*attention.query_key_value", split=_QKV, interleaved_by="heads"),
)

# Hugging Face's Conv1D keeps weights as (inputs, outputs).
GPT2 = Architecture(
    name="gpt2",
    mark=r"(.*\.)?h\.\d+\.attn\.c_attn\.weight",
    blocks=r"h\.",
    roles={
        "attn.c_attn": "attention in",
        "attn.c_proj": "attention out",
        "mlp.c_fc": "MLP in",
        "mlp.c_proj": "MLP out",
    },
    embeddings=("wte",),
    positions=("wpe",),
    outputs=("lm_head",),
    tied=True,
    fused=FusionParams(match="*attn.c_attn", split=_QKV, axis=1),
    transposed=(
        "*attn.c_attn",
        "*attn.c_proj",
        "*mlp.c_fc",
        "*mlp.c_proj",
        "*crossattention.*_attn",
        "*crossattention.c_proj",
    ),
)

# The same names with linear layers, (outputs, inputs).
GPT2_LINEAR = replace(GPT2, fused=FusionParams(match="*attn.c_attn", split=_QKV), transposed=())

LLAMA = Architecture(
    name="llama",
    mark=r"(.*\.)?layers\.\d+\.(self_attn\.q_proj|attention\.wq)\.weight",
    blocks=r"layers\.",
    roles={
        "self_attn.q_proj": "query",
        "self_attn.k_proj": "key",
        "self_attn.v_proj": "value",
        "self_attn.o_proj": "attention out",
        "mlp.gate_proj": "MLP gate",
        "mlp.up_proj": "MLP in",
        "mlp.down_proj": "MLP out",
        "attention.wq": "query",
        "attention.wk": "key",
        "attention.wv": "value",
        "attention.wo": "attention out",
        "feed_forward.w1": "MLP gate",
        "feed_forward.w3": "MLP in",
        "feed_forward.w2": "MLP out",
    },
    embeddings=("embed_tokens", "tok_embeddings"),
    outputs=("lm_head", "output"),
)

TORCH = Architecture(
    name="torch",
    mark=r".*(in_proj_weight|q_proj_weight|weight_hh_l\d+(_reverse)?)",
    blocks=r"(?:layers|blocks)\.",
    roles={
        "self_attn.in_proj_weight": "attention in",
        "self_attn.q_proj_weight": "query",
        "self_attn.k_proj_weight": "key",
        "self_attn.v_proj_weight": "value",
        "self_attn.out_proj": "attention out",
        "linear1": "MLP in",
        "linear2": "MLP out",
    },
    embeddings=("embedding", "embed", "token_embedding", "tok_emb"),
    outputs=("output", "head", "lm_head"),
    fused=FusionParams(match="*in_proj_weight", split=_QKV),
)

_ALL = (GPT_NEOX, GPT2, LLAMA, TORCH)


def recognize(tensors: Mapping[str, TensorInfo], layout: LayoutName) -> Architecture | None:
    """Return the architecture that a checkpoint is named by; None for "none" or if it is unknown.

    Args:
        tensors: Shape and dtype by name.
        layout: What params ask for.

    Raises:
        SpecflowError: If the one asked for is not there, or "auto" finds several.
    """
    if layout in ("none", "torch"):
        return TORCH if layout == "torch" else None
    asked = [a for a in _ALL if layout in ("auto", a.name)]
    found = [a for a in asked if any(re.fullmatch(a.mark, name) for name in tensors)]
    if len(found) > 1:
        names = ", ".join(a.name for a in found)
        raise SpecflowError(
            f"layout: the names of tensors are those of {names}; expected one of them"
        )
    if found:
        return GPT2_LINEAR if found == [GPT2] and _has_linear_layers(tensors) else found[0]
    if layout == "auto":
        return None
    raise SpecflowError(f"layout: got {layout!r}, but the tensors are {some_of(tensors)}")


def _has_linear_layers(tensors: Mapping[str, TensorInfo]) -> bool:
    shapes = (info.shape for name, info in tensors.items() if re.fullmatch(GPT2.mark, name))
    return all(len(shape) == 2 and shape[0] == 3 * shape[1] for shape in shapes)


def blocks_of(matrices: Iterable[Matrix], architecture: Architecture) -> list[Block]:
    """Return the blocks, and attentions that stand alone, stack by stack in order of depth.

    Their matrices are labelled by their roles, and by their stack where there are several.
    """
    found: dict[tuple[str, int | None], dict[Role, Matrix]] = {}
    for matrix in matrices:
        place = _place(matrix.name, architecture)
        if place is not None:
            stack, index, role = place
            found.setdefault((stack, index), {})[role] = matrix
    places = [
        (stack, index)
        for (stack, index), roles in found.items()
        if index is not None or not roles.keys().isdisjoint(READERS)
    ]
    stacks = list(dict.fromkeys(stack for stack, _ in places))
    places.sort(key=lambda place: (stacks.index(place[0]), place[1] or 0))
    several = len({stack for stack, index in places if index is not None}) > 1
    return [_block(*place, found[place], several) for place in places]


def _place(name: str, architecture: Architecture) -> tuple[str, int | None, Role] | None:
    """Return the stack, the number of the block and the role that a name tells of."""
    match = re.fullmatch(rf"((?:.*?\.)?){architecture.blocks}(\d+)\.(.+)", name)
    if match is not None and (role := architecture.role_of(match[3])) is not None:
        return match[1], int(match[2]), role
    # An `nn.MultiheadAttention` that is in no block has the names of a block's attention.
    owner, _, last = name.rpartition(".")
    alone = architecture.role_of(f"self_attn.{last}") if architecture.name == "torch" else None
    return (owner, None, alone) if alone is not None else None


def _block(stack: str, index: int | None, roles: Mapping[Role, Matrix], several: bool) -> Block:
    owner = stack.rstrip(".")
    if index is not None:
        owner = f"{owner if several else ''} block {index + 1}"
    matrices = {
        role: replace(roles[role], label=f"{owner} {role}".lstrip(), role=role)
        for role in ROLES
        if role in roles
    }
    return Block(matrices, index, stack)
