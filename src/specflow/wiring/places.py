"""Where a matrix stands in a transformer, by its name: the stack, the block, the role."""

import re
from dataclasses import dataclass, replace

from specflow.wiring.vocabulary import Role, role_of
from specflow.wiring.wiring import Matrix

_NUMBER = re.compile(r"(?:(?<=^)|(?<=\.))(\d+)\.")
# A network that holds all attentions in one list and all MLPs in another (XLM).
_IN_LISTS = re.compile(r"(?:(.*\.)?)(attentions|encoder_attn|ffns)\.(\d+)\.(.*)")
_OF_LIST = {"attentions": "attention", "encoder_attn": "encoder_attn", "ffns": "ffn"}
_PARTS: dict[str, dict[Role, Role]] = {
    "q": {"attention in": "query", "cross attention in": "cross query"},
    "k": {
        "attention in": "key",
        "key value": "key",
        "cross attention in": "cross key",
        "cross key value": "cross key",
    },
    "v": {
        "attention in": "value",
        "key value": "value",
        "cross attention in": "cross value",
        "cross key value": "cross value",
    },
    "gate": {"MLP in": "MLP gate"},
    "up": {"MLP in": "MLP in"},
    "half0": {"MLP in": "MLP first half"},
    "half1": {"MLP in": "MLP second half"},
}


@dataclass(frozen=True)
class Place:
    """Where a matrix stands.

    Attributes:
        stack: What stands before the number of its block, "model.layers."; of an attention that is
            in no block its own name.
        index: Number of the block, None of a lone attention.
        role: What the matrix does in it.
        unit: Which of several MLPs it is of: "expert 3", "shared expert"; mostly empty.
        stacked: Whether it holds the matrices of all experts still.
        path: Its name inside the block, "self_attn.q_proj".
    """

    stack: str
    index: int | None
    role: Role
    unit: str
    stacked: bool
    path: str


def place_of(matrix: Matrix) -> Place | None:
    """Return where a matrix stands; None if its name does not tell.

    A name may have several numbers: the first one after which the rest is known is the block's.
    """
    whole, _, part = matrix.name.partition(":")
    listed = _IN_LISTS.fullmatch(whole)
    if listed is not None:
        path = f"{_OF_LIST[listed[2]]}.{listed[4]}"
        found = role_of(path)
        if found is not None:
            return Place(listed[1] or "", int(listed[3]), *found, path)
    for match in _NUMBER.finditer(whole):
        found = role_of(rest := whole[match.end() :])
        if found is not None:
            place = Place(whole[: match.start()], int(match[1]), *found, rest)
            return _part_of(place, part) if part else place
    return _alone(whole, part)


def _alone(whole: str, part: str) -> Place | None:
    """Return the place in an `nn.MultiheadAttention` that is in no block."""
    owner, _, last = whole.rpartition(".")
    found = role_of(f"self_attn.{last}")
    if found is None or last not in _OF_TORCH:
        return None
    place = Place(owner, None, found.role, "", False, last)
    return _part_of(place, part) if part else place


_OF_TORCH = ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight", "out_proj")


def _part_of(place: Place, part: str) -> Place | None:
    """Return the place of a part that was cut out: of an expert, of a projection, or of both."""
    for name in part.split("."):
        if name.isdecimal() and place.stacked:
            place = replace(place, unit=f"expert {int(name) + 1}", stacked=False)
        elif (role := _PARTS.get(name, {}).get(place.role)) is not None:
            place = replace(place, role=role)
        else:
            return None
    return place
