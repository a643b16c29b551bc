"""From names to roles: the blocks, the embedding and the output layer of a transformer."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from specflow.wiring.architectures import Architecture
from specflow.wiring.transformer import DEPTH, READERS, Block, Role
from specflow.wiring.wiring import Matrix

_ATTENTION = re.compile(r"(?:(.*)\.)?(in_proj_weight(?::[qkv])?|[qkv]_proj_weight|out_proj)")


@dataclass(frozen=True)
class Anatomy:
    """What a transformer consists of; nothing if it is none.

    Attributes:
        blocks: In order of depth, stack by stack.
        embedding: The token embedding if there is one stack and one embedding.
        positions: The position embedding, likewise.
        output: The output layer, likewise.
        tied: True if the embedding is the output layer.
    """

    blocks: tuple[Block, ...] = ()
    embedding: Matrix | None = None
    positions: Matrix | None = None
    output: Matrix | None = None
    tied: bool = False

    def in_order(self, others: Iterable[Matrix]) -> list[Matrix]:
        """Return all matrices in order of depth; `others` are those that play no role here."""
        first = [m for m in (self.embedding, self.positions) if m is not None]
        inner = [m for block in self.blocks for m in block.matrices.values()]
        return [*first, *inner, *others, *([self.output] if self.output else [])]


def anatomy_of(matrices: Sequence[Matrix], architecture: Architecture) -> Anatomy:
    """Return the roles of matrices, which are labelled by them.

    Args:
        matrices: All matrices.
        architecture: Their naming.

    Returns:
        The anatomy; matrices that play no role are not in it.
    """
    roles: dict[tuple[str, int | None], dict[Role, Matrix]] = {}
    for matrix in matrices:
        place = _place(matrix.name, architecture)
        if place is not None:
            stack, index, role = place
            roles.setdefault((stack, index), {})[role] = matrix
    roles = {
        place: found
        for place, found in roles.items()
        if place[1] is not None or not set(READERS).isdisjoint(found)
    }
    seen = list(dict.fromkeys(stack for stack, _ in roles))
    places = sorted(roles, key=lambda place: (seen.index(place[0]), place[1] or 0))
    stacks = {stack for stack, index in roles if index is not None}
    blocks = tuple(_labelled(*place, roles[place], alone=len(stacks) == 1) for place in places)
    if len(stacks) != 1:
        return Anatomy(blocks)
    output = _only(ending_in(matrices, architecture.outputs), "output")
    embedding = _only(ending_in(matrices, architecture.embeddings), "embedding")
    positions = _only(ending_in(matrices, architecture.positions), "positions")
    return Anatomy(blocks, embedding, positions, output, architecture.tied and output is None)


def ending_in(matrices: Iterable[Matrix], names: Iterable[str]) -> list[Matrix]:
    """Return the matrices whose name's last part is one of some names."""
    wanted = set(names)
    return [matrix for matrix in matrices if matrix.name.rsplit(".", 1)[-1] in wanted]


def _place(name: str, architecture: Architecture) -> tuple[str, int | None, Role] | None:
    match = re.fullmatch(rf"((?:.*?\.)?){architecture.blocks}(\d+)\.(.+)", name)
    if match is not None and match[3] in architecture.roles:
        return match[1], int(match[2]), architecture.roles[match[3]]
    alone = _ATTENTION.fullmatch(name) if architecture.name == "torch" else None
    if alone is None:
        return None
    role = architecture.roles.get(f"self_attn.{alone[2]}")
    return (alone[1] or "", None, role) if role is not None else None


def _labelled(stack: str, index: int | None, roles: Mapping[Role, Matrix], alone: bool) -> Block:
    """Return a block whose labels name the stack only where there are several."""
    owner = stack.rstrip(".")
    if index is not None:
        owner = f"block {index + 1}" if alone else f"{owner} block {index + 1}".lstrip()
    matrices = {
        role: replace(roles[role], label=f"{owner} {role}".lstrip(), role=role)
        for role in DEPTH
        if role in roles
    }
    return Block(matrices, index, stack)


def _only(found: Sequence[Matrix], role: str) -> Matrix | None:
    return replace(found[0], label=role, role=role) if len(found) == 1 else None
