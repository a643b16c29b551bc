"""Neighbours in transformers: embedding, attention, MLP, block after block, output."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from specflow.suites.architectures import Architecture, Role
from specflow.suites.errors import SuiteError
from specflow.suites.matrices import Cut, SuiteMatrix
from specflow.suites.neighbours import Meeting, Neighbours, follow

_ATTENTION = re.compile(r"(?:(.*)\.)?(in_proj_weight(?::[qkv])?|[qkv]_proj_weight|out_proj)")
_READERS: tuple[Role, ...] = ("attention in", "query", "key", "value")
_DEPTH: tuple[Role, ...] = (*_READERS, "attention out", "MLP gate", "MLP in", "MLP out")


@dataclass(frozen=True)
class Block:
    """The matrices of a block by role, or of an attention that stands alone.

    Attributes:
        stack: What stands before the blocks in its names; of a lone attention its own name.
        index: Number of the block in its stack, None of a lone attention.
        matrices: By role, in order of depth.
    """

    stack: str
    index: int | None
    matrices: Mapping[Role, SuiteMatrix]


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
    embedding: SuiteMatrix | None = None
    positions: SuiteMatrix | None = None
    output: SuiteMatrix | None = None
    tied: bool = False

    def in_order(self, others: Iterable[SuiteMatrix]) -> list[SuiteMatrix]:
        """Return all matrices in order of depth; `others` are those that play no role here."""
        first = [m for m in (self.embedding, self.positions) if m is not None]
        inner = [m for block in self.blocks for m in block.matrices.values()]
        return [*first, *inner, *others, *([self.output] if self.output else [])]


def anatomy_of(matrices: Sequence[SuiteMatrix], architecture: Architecture) -> Anatomy:
    """Return the roles of matrices, which are labelled by them.

    Args:
        matrices: All matrices.
        architecture: Their naming.

    Returns:
        The anatomy; matrices that play no role are not in it.
    """
    roles: dict[tuple[str, int | None], dict[Role, SuiteMatrix]] = {}
    for matrix in matrices:
        place = _place(matrix.name, architecture)
        if place is not None:
            stack, index, role = place
            roles.setdefault((stack, index), {})[role] = matrix
    roles = {
        place: found
        for place, found in roles.items()
        if place[1] is not None or not set(_READERS).isdisjoint(found)
    }
    seen = list(dict.fromkeys(stack for stack, _ in roles))
    places = sorted(roles, key=lambda place: (seen.index(place[0]), place[1] or 0))
    stacks = {stack for stack, index in roles if index is not None}
    blocks = tuple(_labelled(*place, roles[place], alone=len(stacks) == 1) for place in places)
    if len(stacks) != 1:
        return Anatomy(blocks)
    output = _named(matrices, architecture.outputs, "output")
    embedding = _named(matrices, architecture.embeddings, "embedding")
    positions = _named(matrices, architecture.positions, "positions")
    return Anatomy(blocks, embedding, positions, output, architecture.tied and output is None)


def transformer_pairs(anatomy: Anatomy, num_heads: int | None) -> list[Neighbours]:
    """Return all neighbours of a transformer, those included whose dimensions do not meet.

    An embedding's rows are tokens: its right singular vectors are its outputs. Queries meet keys
    head by head, outputs with outputs, if the number of heads is known.

    Args:
        anatomy: What it consists of.
        num_heads: Attention heads of a block.

    Returns:
        The pairs in order of depth.

    Raises:
        SuiteError: If the heads do not divide the rows of queries or keys.
    """
    pairs: list[Neighbours] = []
    for before, block in zip((None, *anatomy.blocks), anatomy.blocks, strict=False):
        pairs += _between(before, block, anatomy.embedding)
        pairs += _inside(block.matrices, num_heads)
    blocks = [block for block in anatomy.blocks if block.index is not None]
    last = blocks[-1].matrices.get("MLP out") if blocks else None
    output = anatomy.embedding if anatomy.tied else anatomy.output
    if last is not None and output is not None:
        pairs.append(follow(last, output))
    return pairs


def _between(before: Block | None, block: Block, embedding: SuiteMatrix | None) -> list[Neighbours]:
    """Return the pairs of what reads a block's input with what wrote it."""
    readers = [block.matrices[role] for role in _READERS if role in block.matrices]
    if block.index == 0 and embedding is not None:
        return [follow(embedding, reader, "right") for reader in readers]
    if before is None or block.index is None or before.index != block.index - 1:
        return []
    written = before.matrices.get("MLP out") if before.stack == block.stack else None
    return [follow(written, reader) for reader in readers] if written is not None else []


def _inside(block: Mapping[Role, SuiteMatrix], num_heads: int | None) -> list[Neighbours]:
    pairs = []
    if "query" in block and "key" in block and num_heads is not None:
        pairs.append(_query_key(block["query"], block["key"], num_heads))
    chain: tuple[tuple[Role, Role], ...] = (
        ("value", "attention out"),
        ("attention out", "MLP gate"),
        ("attention out", "MLP in"),
        ("MLP gate", "MLP out"),
        ("MLP in", "MLP out"),
    )
    pairs += [follow(block[a], block[b]) for a, b in chain if a in block and b in block]
    return pairs


def _query_key(query: SuiteMatrix, key: SuiteMatrix, num_heads: int) -> Neighbours:
    """With fewer heads of keys than of queries, neighbouring queries share a head of keys.

    Raises:
        SuiteError: If the heads do not divide the rows.
    """
    size, rest = divmod(query.rows, num_heads)
    key_heads, key_rest = divmod(key.rows, size) if size else (0, 1)
    if rest or key_rest or num_heads % key_heads:
        raise SuiteError(
            f"num_heads: got {num_heads}; expected a divisor of the {query.rows} rows of "
            f"{query.name}, whose heads fit into the {key.rows} rows of {key.name}"
        )
    queries, keys = _heads(query, num_heads), _heads(key, key_heads)
    shared = num_heads // key_heads
    meetings = (
        Meeting(head, keys[number // shared], following_side="left")
        for number, head in enumerate(queries)
    )
    return Neighbours(f"{query.label} -> {key.label}", tuple(meetings))


def _heads(matrix: SuiteMatrix, count: int) -> list[SuiteMatrix]:
    axis = 1 if matrix.transposed else 0
    return [
        matrix.part(f"head{i}", f"{matrix.label} head {i + 1}", Cut(axis, i, i + 1, count))
        for i in range(count)
    ]


def _place(name: str, architecture: Architecture) -> tuple[str, int | None, Role] | None:
    match = re.fullmatch(rf"((?:.*?\.)?){architecture.blocks}(\d+)\.(.+)", name)
    if match is not None and match[3] in architecture.roles:
        return match[1], int(match[2]), architecture.roles[match[3]]
    alone = _ATTENTION.fullmatch(name) if architecture.name == "torch" else None
    if alone is None:
        return None
    role = architecture.roles.get(f"self_attn.{alone[2]}")
    return (alone[1] or "", None, role) if role is not None else None


def _labelled(
    stack: str, index: int | None, roles: Mapping[Role, SuiteMatrix], alone: bool
) -> Block:
    """Return a block whose labels name the stack only where there are several."""
    owner = stack.rstrip(".")
    if index is not None:
        owner = f"block {index + 1}" if alone else f"{owner} block {index + 1}".lstrip()
    matrices = {
        role: replace(roles[role], label=f"{owner} {role}".lstrip())
        for role in _DEPTH
        if role in roles
    }
    return Block(stack, index, matrices)


def _named(matrices: Sequence[SuiteMatrix], names: Iterable[str], label: str) -> SuiteMatrix | None:
    wanted = set(names)
    found = [m for m in matrices if m.name.rsplit(".", 1)[-1] in wanted]
    return replace(found[0], label=label) if len(found) == 1 else None
