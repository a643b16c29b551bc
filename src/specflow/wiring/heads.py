"""Attention heads: how many there are, and which rows and columns of them meet."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from specflow.errors import SpecflowError
from specflow.wiring.places import Place
from specflow.wiring.splitting import lies_by_heads, sides_of
from specflow.wiring.structure import Structure
from specflow.wiring.tensors import TensorInfo
from specflow.wiring.view import Cut, View
from specflow.wiring.vocabulary import Role
from specflow.wiring.wiring import Matrix, Meeting, Pair

# Vectors and tables that have an entry, or a column, for each head.
_ONE_A_HEAD = re.compile(r".*(?:\.sinks|\.logit_scale|relative_attention_bias\.weight|bias_table)")
_OF_A_HEAD = re.compile(r".*\.(?:q_norm|q_layernorm)\.weight")
_BIAS_OF_HEADS = re.compile(r".*\.rel_attn\.r_[wrs]_bias")  # XLNet's: (heads, size of one)


def count_heads(
    stack: str,
    placed: Mapping[Matrix, Place],
    tensors: Mapping[str, TensorInfo],
    structure: Structure,
    asked: int | None,
) -> int | None:
    """Return the attention heads of a stack's blocks; None where they are not known.

    Args:
        stack: What stands before the numbers of its blocks.
        placed: The matrices of its first block, turned.
        tensors: Shape and dtype of every tensor by name.
        structure: What else is known.
        asked: What params say.

    Raises:
        SpecflowError: If params say a number that is not that of the network, or cannot be.
    """
    rows = _rows(placed)
    told, source = structure.heads_of(stack), structure.source
    if told is None or not _fits(told, rows):
        told, source = _by_shapes(stack, placed, rows, tensors), "shapes"
        told = told if told is None or _fits(told, rows) else None
    if asked is not None and told not in (None, asked):
        raise SpecflowError(f"num_heads: got {asked}; expected {told} in {stack}*, by {source}")
    if asked is not None and not _fits(asked, rows):
        raise SpecflowError(
            f"num_heads: got {asked}; expected a divisor of the {_queries(rows)} rows of queries "
            f"in {stack}*, whose heads fit into the rows of keys and values"
        )
    return told if told is not None else asked


def heads_of_block(
    path: str,
    placed: Mapping[Matrix, Place],
    first: Mapping[Matrix, Place],
    heads: int | None,
    structure: Structure,
) -> int | None:
    """Return the attention heads of one block; None where they are not known.

    They are those of its stack if it has as many rows of queries as the block that they were told
    of: blocks of others may have heads of another size, or another number of them.

    Args:
        path: What the names of its matrices begin with.
        placed: Its matrices, turned.
        first: Those of the block that the heads of the stack were told of.
        heads: Of the stack.
        structure: What else is known.
    """
    rows = _rows(placed)
    own = structure.heads_within(path)
    if own is None and _queries(rows) in (0, _queries(_rows(first))):
        own = heads
    return own if own is not None and _fits(own, rows) else None


def _rows(placed: Mapping[Matrix, Place]) -> dict[Role, tuple[int, int]]:
    """Return outputs and inputs of the matrices of a block by role."""
    return {place.role: sides_of(m, place) for m, place in placed.items() if not place.unit}


def _queries(rows: Mapping[Role, tuple[int, int]]) -> int:
    return rows.get("query", rows.get("attention out", (0, 0))[::-1])[0]


def _fits(heads: int, rows: Mapping[Role, tuple[int, int]]) -> bool:
    """Return whether queries can have a number of heads, and keys as many as values."""
    queries = _queries(rows)
    inputs = rows.get("attention out", (0, queries))[1]
    if queries % heads or inputs % heads:
        return False
    sizes: dict[Role, int] = {"key": queries // heads, "value": inputs // heads}
    counts = {_count(rows[role][0], size) for role, size in sizes.items() if role in rows}
    return len(counts) <= 1 and all(count > 0 and heads % count == 0 for count in counts)


def _count(length: int, size: int) -> int:
    """Return how many heads of a size some rows are; 0 if none fit."""
    count, rest = divmod(length, size) if size else (0, 0)
    return 0 if rest else count


def _by_shapes(
    stack: str,
    placed: Mapping[Matrix, Place],
    rows: Mapping[Role, tuple[int, int]],
    tensors: Mapping[str, TensorInfo],
) -> int | None:
    queries = rows.get("attention out", (0, 0))[1]
    own = {name: info.shape for name, info in tensors.items() if name.startswith(stack)}
    for name, shape in own.items():
        is_bias = _BIAS_OF_HEADS.fullmatch(name)
        if shape and (is_bias or _ONE_A_HEAD.fullmatch(name)):
            count = shape[0] if len(shape) != 2 or is_bias else shape[1]
            if count > 1 and queries % count == 0:
                return count
    norms = {shape for n, shape in own.items() if len(shape) == 1 and _OF_A_HEAD.fullmatch(n)}
    size = norms.pop()[0] if len(norms) == 1 else queries  # those of all heads differ (OLMo 2)
    if 0 < size < queries and queries % size == 0:
        return queries // size
    if latent := Latent.of(rows):
        return latent.heads
    fused = next((p for p in placed.values() if p.role == "attention in"), None)
    if fused is None or not queries:
        return None
    keys = (rows["attention in"][0] - queries) // 2
    several = any(".ln_attn." in name for name in own)  # Falcon's, with more heads of keys than one
    by_heads = lies_by_heads(fused, placed, None) or fused.path.endswith("c_attn")
    shares_one = by_heads and not several
    return queries // keys if shares_one and 0 < keys < queries and queries % keys == 0 else None


@dataclass(frozen=True)
class Latent:
    """Sizes of attention whose keys and values are made of few numbers (DeepSeek-V2, MLA).

    Attributes:
        heads: Their number.
        plain: Length of that part of a query and a key that is not rotated.
        rotated: Length of the other part; all heads share that of the key.
        value: Length of a value.
    """

    heads: int
    plain: int
    rotated: int
    value: int

    @classmethod
    def of(cls, sides: Mapping[Role, tuple[int, int]]) -> "Latent | None":
        """Return the sizes by outputs and inputs of a block's matrices; None of other attention."""
        queries = sides.get("query up") or sides.get("query")
        down, up = sides.get("key value down"), sides.get("key value up")
        out = sides.get("attention out")
        if queries is None or down is None or up is None or out is None:
            return None
        rotated = down[0] - up[1]
        plain = up[0] - out[1]  # of all heads
        if rotated <= 0 or plain <= 0 or (queries[0] - plain) % rotated:
            return None
        heads = (queries[0] - plain) // rotated
        if heads < 1 or plain % heads or out[1] % heads:
            return None
        return cls(heads, plain // heads, rotated, out[1] // heads)


def query_key(query: Matrix, key: Matrix, heads: int) -> Pair:
    """Return the pair of queries and keys: outputs with outputs, head by head.

    With fewer heads of keys than of queries, neighbouring queries share one.

    Raises:
        SpecflowError: If the heads do not fit into the rows.
    """
    keys, shared = _shared(query, key, query.view.rows, heads)
    meetings = (
        Meeting(head, _head(key.view, number // shared, keys), following_side="left")
        for number, head in enumerate(_head(query.view, i, heads) for i in range(heads))
    )
    return Pair(f"{query.label} -> {key.label}", tuple(meetings))


def value_out(value: Matrix, out: Matrix, heads: int) -> Pair:
    """Return the pair of values and what reads them, each head with all queries that share it.

    Raises:
        SpecflowError: If the heads do not fit into the rows.
    """
    values, shared = _shared(out, value, out.view.columns, heads)
    meetings = (
        Meeting(_head(value.view, number // shared, values), _read_by(out.view, number, heads))
        for number in range(heads)
    )
    return Pair(f"{value.label} -> {out.label}", tuple(meetings))


def latent_pairs(block: Mapping[Role, Matrix], latent: Latent) -> list[Pair]:
    """Return the pairs inside an attention whose keys and values are made of few numbers."""
    pairs, heads = [], range(latent.heads)
    up, down, out = (block[r] for r in ("key value up", "key value down", "attention out"))
    query = block.get("query up") or block["query"]
    if "query down" in block and "query up" in block:
        meeting = Meeting(block["query down"].view, block["query up"].view)
        pairs.append(Pair(f"{block['query down'].label} -> {block['query up'].label}", (meeting,)))
    kept = up.view.columns
    written = down.view.cut(Cut(_outputs(down.view), 0, kept, kept + latent.rotated))
    pairs.append(Pair(f"{down.label} -> {up.label}", (Meeting(written, up.view),)))

    def part(view: View, head: int, start: int, stop: int, total: int) -> View:
        of_head = _head(view, head, latent.heads)
        return of_head.cut(Cut(_outputs(view), start, stop, total))

    plain, of_query, of_both = (
        latent.plain,
        latent.plain + latent.rotated,
        latent.plain + latent.value,
    )
    keys = (
        Meeting(
            part(query.view, head, 0, plain, of_query),
            part(up.view, head, 0, plain, of_both),
            following_side="left",
        )
        for head in heads
    )
    values = (
        Meeting(
            part(up.view, head, plain, of_both, of_both), _read_by(out.view, head, latent.heads)
        )
        for head in heads
    )
    pairs.append(Pair(f"{query.label} -> {up.label}", tuple(keys)))
    pairs.append(Pair(f"{up.label} -> {out.label}", tuple(values)))
    return pairs


def _shared(whole: Matrix, few: Matrix, length: int, heads: int) -> tuple[int, int]:
    """Return the heads of keys or values, and how many queries share one.

    Raises:
        SpecflowError: If the heads do not fit into the rows.
    """
    rows = few.view.rows
    size, rest = divmod(length, heads)
    count, rest_of_few = divmod(rows, size) if size else (0, 1)
    if rest or rest_of_few or heads % count:
        raise SpecflowError(
            f"num_heads: got {heads}; expected a divisor of the {length} rows of "
            f"{whole.name}, whose heads fit into the {rows} rows of {few.name}"
        )
    return count, heads // count


def _head(view: View, head: int, count: int) -> View:
    return view.cut_rows(head, head + 1, count)


def _read_by(view: View, head: int, count: int) -> View:
    """Return the columns that read a head."""
    return view.cut(Cut(0 if view.transposed else 1, head, head + 1, count))


def _outputs(view: View) -> int:
    return 1 if view.transposed else 0
