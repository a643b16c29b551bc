"""What stands between the parts of an attention: matrices that no name explains, and pooling."""

import re
from collections.abc import Iterable, Mapping

from specflow.wiring.places import Place
from specflow.wiring.tensors import TensorInfo
from specflow.wiring.wiring import Matrix

# What only adds to the scores of an attention, or is a part of a weight: names, and words between
# underscores in names. Positions, LoRA, norms.
_HARMLESS = {
    *("r", "distance_embedding", "seg_embed", "cpb_mlp", "meta_mlp", "indexer"),
    *("proj_l", "proj_w", "query_global", "key_global", "value_global"),
}
_HARMLESS_WORDS = {
    *("pos", "position", "positions", "positional", "rel", "relative", "bias", "biases"),
    *("lora", "norm", "layernorm"),
}
_BEFORE_KEYS = re.compile(r".*\.(?:sr|sequence_reduction)(?:\..*)?")  # PVT, SegFormer
# DaViT's blocks and XCiT's attention, over channels; DiffLlama's, whose heads share two values.
_MARKS = {"cpe1.proj.weight": 2, "attn.temperature": 3, "self_attn.lambda_q1": 1}


def strangers(
    at: str,
    block: Mapping[Matrix, Place],
    unplaced: Iterable[str],
    tensors: Mapping[str, TensorInfo],
) -> list[str]:
    """Return what may change queries, keys or values of a block before they meet.

    That are matrices beside them which are not known: a convolution that pools (MViTv2). Of
    blocks that attend in a way of their own (over channels, or by differences) it is what tells of
    them.

    Args:
        at: What the names of the block's tensors begin with.
        block: Its matrices.
        unplaced: Names of matrices that have no place in any block.
        tensors: Shape and dtype of every tensor by name.
    """
    owners = {_owner(m.name) for m, place in block.items() if _is_read(place)}
    beside = [name for name in unplaced if any(_within(name, owner) for owner in owners)]
    marks = [
        f"{at}{name}"
        for name, least in _MARKS.items()
        if len(_shape(tensors, f"{at}{name}")) >= least
    ]
    return [*beside, *(marks if owners else [])]


def is_harmless(name: str) -> bool:
    """Return whether a matrix in an attention changes neither its queries, keys nor values."""
    return stands_before(name) or any(map(_only_adds, name.split(".")))


def stands_before(name: str) -> bool:
    """Return whether a stranger is read by keys and values alone: it shortens the sequence."""
    return _BEFORE_KEYS.fullmatch(name) is not None


def _is_read(place: Place) -> bool:
    roles = ("attention in", "query", "key", "value", "key value")
    return place.role in roles


def _owner(name: str) -> str:
    return name.partition(":")[0].rpartition(".")[0]


def _within(name: str, owner: str) -> bool:
    inside = name.removeprefix(f"{owner}.")
    return bool(owner) and inside != name and not _only_adds(inside.split(".")[0])


def _only_adds(part: str) -> bool:
    """Return whether a part of a name is a harmless name, or has a harmless word in it."""
    return part in _HARMLESS or not _HARMLESS_WORDS.isdisjoint(part.split("_"))


def _shape(tensors: Mapping[str, TensorInfo], name: str) -> tuple[int, ...]:
    info = tensors.get(name)
    return () if info is None else info.shape
