"""Neighbours in transformers: embedding, attention, MLP, block after block, output."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from specflow.errors import SpecflowError
from specflow.wiring.view import View
from specflow.wiring.wiring import Matrix, Meeting, Pair, Wiring, follow

Role = Literal[  # in order of depth
    "attention in", "query", "key", "value", "attention out", "MLP gate", "MLP in", "MLP out"
]
ROLES: tuple[Role, ...] = get_args(Role)
READERS = ROLES[:4]
_CHAIN: tuple[tuple[Role, Role], ...] = (
    ("value", "attention out"),
    ("attention out", "MLP gate"),
    ("attention out", "MLP in"),
    ("MLP gate", "MLP out"),
    ("MLP in", "MLP out"),
)


@dataclass(frozen=True)
class Block:
    """The matrices of a block by role, or of an attention that stands alone.

    Attributes:
        matrices: By role. Beside a whole "attention in", its query, key and value are parts that
            pairs compare.
        index: Number of the block in its stack, None of a lone attention.
        stack: What stands before the blocks in its names; of a lone attention its own name.
    """

    matrices: Mapping[Role, Matrix]
    index: int | None
    stack: str = ""


def transformer_wiring(
    embedding: Matrix, blocks: Sequence[Mapping[Role, Matrix]], output: Matrix, num_heads: int
) -> Wiring:
    """Return the wiring of one stack of blocks between an embedding and an output layer.

    Args:
        embedding: Of tokens, one row each.
        blocks: The tracked matrices of each block by role in order of depth. An "attention in"
            holds query, key and value one after the other: it is tracked and fed as a whole, and
            its parts meet inside the block.
        output: What reads the last block.
        num_heads: Attention heads of a block.

    Raises:
        SpecflowError: If the heads do not divide the rows of queries or keys.
    """
    known = [Block({**block, **_parts(block)}, index) for index, block in enumerate(blocks)]
    pairs = transformer_pairs(known, embedding, output, num_heads)
    inner = (matrix for block in blocks for matrix in block.values())
    return Wiring((embedding, *inner, output), tuple(pairs))


def transformer_pairs(
    blocks: Sequence[Block], embedding: Matrix | None, output: Matrix | None, num_heads: int | None
) -> list[Pair]:
    """Return all neighbours of a transformer, those included whose dimensions do not meet.

    An embedding's rows are tokens: its right singular vectors are its outputs. Queries meet keys
    head by head, outputs with outputs, if the number of heads is known.

    Args:
        blocks: In order of depth, stack by stack.
        embedding: What feeds the first block, if that is known.
        output: What reads the last block, likewise.
        num_heads: Attention heads of a block.

    Raises:
        SpecflowError: If the heads do not divide the rows of queries or keys.
    """
    pairs: list[Pair] = []
    for before, block in zip((None, *blocks), blocks, strict=False):
        pairs += _between(before, block, embedding)
        pairs += _inside(block.matrices, num_heads)
    stacked = [block for block in blocks if block.index is not None]
    last = stacked[-1].matrices.get("MLP out") if stacked else None
    if last is not None and output is not None:
        pairs.append(follow(last, output))
    return pairs


def _parts(block: Mapping[Role, Matrix]) -> dict[Role, Matrix]:
    """Return query, key and value of a whole attention."""
    whole = block["attention in"]
    owner = whole.label.removesuffix("attention in")
    return {
        role: Matrix(f"{whole.name}:{role}", owner + role, whole.view.cut_rows(i, i + 1, 3), role)
        for i, role in enumerate(READERS[1:])
    }


def _between(before: Block | None, block: Block, embedding: Matrix | None) -> list[Pair]:
    """Return the pairs of what reads a block's input with what wrote it."""
    whole = block.matrices.get("attention in")
    parts = [block.matrices[role] for role in READERS if role in block.matrices]
    readers = parts if whole is None else [whole]
    if block.index == 0 and embedding is not None:
        return [follow(embedding, reader, "right") for reader in readers]
    if before is None or block.index is None or before.index != block.index - 1:
        return []
    written = before.matrices.get("MLP out") if before.stack == block.stack else None
    return [follow(written, reader) for reader in readers] if written is not None else []


def _inside(block: Mapping[Role, Matrix], num_heads: int | None) -> list[Pair]:
    pairs = [follow(block[a], block[b]) for a, b in _CHAIN if a in block and b in block]
    if "query" in block and "key" in block and num_heads is not None:
        return [_query_key(block["query"], block["key"], num_heads), *pairs]
    return pairs


def _query_key(query: Matrix, key: Matrix, num_heads: int) -> Pair:
    # With fewer heads of keys than of queries, neighbouring queries share a head of keys.
    rows, key_rows = query.view.rows, key.view.rows
    size, rest = divmod(rows, num_heads)
    key_heads, key_rest = divmod(key_rows, size) if size else (0, 1)
    if rest or key_rest or num_heads % key_heads:
        raise SpecflowError(
            f"num_heads: got {num_heads}; expected a divisor of the {rows} rows of "
            f"{query.name}, whose heads fit into the {key_rows} rows of {key.name}"
        )
    keys, shared = _heads(key.view, key_heads), num_heads // key_heads
    meetings = (
        Meeting(head, keys[number // shared], following_side="left")
        for number, head in enumerate(_heads(query.view, num_heads))
    )
    return Pair(f"{query.label} -> {key.label}", tuple(meetings))


def _heads(view: View, count: int) -> list[View]:
    return [view.cut_rows(head, head + 1, count) for head in range(count)]
