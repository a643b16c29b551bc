"""Neighbours in transformers: embedding, attention, MLP, block after block, output."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from specflow.matrices import Side
from specflow.wiring.heads import Latent, latent_pairs, query_key, value_out
from specflow.wiring.mixer import mixer_pairs
from specflow.wiring.vocabulary import Role
from specflow.wiring.wiring import Matrix, Pair, Wiring, follow

_READERS: tuple[Role, ...] = (
    *("attention in", "query down", "query", "key value down", "key", "value"),
    *("receptance", "attention gate"),
)
_ATTENDING: tuple[Role, ...] = ("query", "cross attention in", "cross query")
_BEHIND: tuple[Role, ...] = ("key value down", "key", "value")  # of what may be changed before
_ENCODED: tuple[Role, ...] = ("cross key value", "cross key", "cross value")
_MLP_IN: tuple[Role, ...] = ("MLP gate", "MLP in", "MLP first half", "MLP second half")
_MLP: tuple[Role, ...] = ("router", *_MLP_IN, "MLP receptance", "MLP convolution", "MLP out")


@dataclass(frozen=True)
class Block:
    """The matrices of a block, or of an attention that stands alone.

    Attributes:
        matrices: By role, and by which of several MLPs they are of ("expert 3", mostly ""). Beside
            a whole "attention in", its query, key and value are parts that pairs compare.
        index: Number of the block in its stack, None of a lone attention.
        parallel: Whether its MLP reads what its attention reads, not what that writes; None if
            what its parts read is not known.
        heads: Attention heads; queries meet keys if they are known.
        is_plain: Whether nothing that is not known stands between the parts of its attention.
        is_direct: Whether keys and values read what queries do.
        is_short: Whether a convolution is missing between the layers of its MLP.
    """

    matrices: Mapping[tuple[Role, str], Matrix]
    index: int | None
    parallel: bool | None = False
    heads: int | None = None
    is_plain: bool = True
    is_direct: bool = True
    is_short: bool = False

    def main(self) -> dict[Role, Matrix]:
        """Return the matrices that are not of one of several MLPs."""
        return {role: matrix for (role, unit), matrix in self.matrices.items() if not unit}


@dataclass(frozen=True)
class _Sublayer:
    """What reads the numbers that pass through a block and adds to them."""

    readers: Sequence[Matrix]
    writers: Sequence[Matrix]
    inner: Sequence[Pair]
    is_there: bool = False  # though what reads and writes in it may not be known


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
    whole = [{**block, **_parts(block)} for block in blocks]
    known = [_block(block, index, num_heads) for index, block in enumerate(whole)]
    pairs = transformer_pairs(known, [(embedding, "right")], [output])
    inner = (matrix for block in blocks for matrix in block.values())
    return Wiring((embedding, *inner, output), tuple(pairs))


def transformer_pairs(
    blocks: Sequence[Block],
    firsts: Sequence[tuple[Matrix, Side]],
    outputs: Sequence[Matrix],
    encoded: Sequence[Matrix] = (),
) -> list[Pair]:
    """Return all neighbours of a stack of blocks, those included whose dimensions do not meet.

    Args:
        blocks: In order of depth.
        firsts: What feeds the first block, with its side of outputs: the right one of an
            embedding, whose rows are tokens.
        outputs: What reads the last block.
        encoded: What writes what cross-attention reads.

    Raises:
        SpecflowError: If the heads do not divide the rows of queries or keys.
    """
    pairs: list[Pair] = []
    written: Sequence[Matrix] = ()
    last: int | None = None
    mixed = any(_mixes(block) and _ends_with_mlp(block) for block in blocks)
    for block in blocks:
        sublayers = _sublayers(block)
        is_read = block.parallel is not None and (_mixes(block) or not mixed)
        if not is_read or last is None or block.index != last + 1:
            written = ()
        if is_read and block.index == 0 and sublayers:
            readers = product(firsts, sublayers[0].readers)
            pairs += [follow(first, reader, side) for (first, side), reader in readers]
        for sublayer in sublayers:
            pairs += [follow(w, r) for w, r in product(written, sublayer.readers)]
            pairs += sublayer.inner
            written = _passed(block, sublayer)
        cross = _there(block.main(), _ENCODED)
        pairs += [follow(writer, reader) for writer, reader in product(encoded, cross)]
        written = _passed(block, sublayers[-1]) if _ends_with_mlp(block) else ()
        last = block.index
    return pairs + [follow(writer, output) for writer, output in product(written, outputs)]


def _passed(block: Block, sublayer: _Sublayer) -> Sequence[Matrix]:
    """Return what writes what the next sublayer reads, nothing where that is not known."""
    return () if block.parallel is None else sublayer.writers


def last_writers(blocks: Sequence[Block]) -> Sequence[Matrix]:
    """Return what writes the output of the last block; nothing if a part of it is not known."""
    if not blocks or not _ends_with_mlp(blocks[-1]):
        return ()
    sublayers = _sublayers(blocks[-1])
    return _passed(blocks[-1], sublayers[-1]) if sublayers else ()


def _block(matrices: Mapping[Role, Matrix], index: int, heads: int) -> Block:
    return Block({(role, ""): matrix for role, matrix in matrices.items()}, index, heads=heads)


def _parts(block: Mapping[Role, Matrix]) -> dict[Role, Matrix]:
    """Return query, key and value of a whole attention."""
    whole = block["attention in"]
    owner = whole.label.removesuffix("attention in")
    parts: tuple[Role, ...] = ("query", "key", "value")
    return {
        role: Matrix(f"{whole.name}:{role}", owner + role, whole.view.cut_rows(i, i + 1, 3), role)
        for i, role in enumerate(parts)
    }


def _sublayers(block: Block) -> list[_Sublayer]:
    own = block.main()
    # attention and state space in one block read the same (Falcon-H1)
    attention = _attention(own, block.heads, block.is_plain, block.is_direct)
    mixing = _side_by_side([attention, _mixer(own)])
    cross = _cross_attention(own, block.heads)
    attending = [cross, *mixing] if _crosses_first(own) else [*mixing, cross]
    found = [*attending, _mlps(block)]
    there = [one for one in found if one.readers or one.writers or one.is_there]
    return _side_by_side(there) if block.parallel else there


def _crosses_first(own: Mapping[Role, Matrix]) -> bool:
    """Return whether cross-attention stands before attention: Mask2Former, by its names."""
    names = [own[role].view.tensor for role in _ATTENDING if role in own]
    ends = ("cross_attn.in_proj_weight", "self_attn.q_proj.weight")
    return all(any(name.endswith(end) for name in names) for end in ends)


def _side_by_side(sublayers: Sequence[_Sublayer]) -> list[_Sublayer]:
    """Return sublayers that read the same as one; none of none."""
    there = [one for one in sublayers if one.readers or one.writers or one.is_there]
    return [
        _Sublayer(
            [reader for one in there for reader in one.readers],
            [writer for one in there for writer in one.writers],
            [pair for one in there for pair in one.inner],
            any(one.is_there for one in there),
        )
    ] * bool(there)


def _attention(
    own: Mapping[Role, Matrix], heads: int | None, is_plain: bool, is_direct: bool
) -> _Sublayer:
    whole = own.get("attention in")
    readers = [own[role] for role in _READERS if role in own] if whole is None else [whole]
    writers = _there(own, ["attention out"])
    latent = Latent.of({role: (m.view.rows, m.view.columns) for role, m in own.items()})
    inner = latent_pairs(own, latent) if latent else _inside(own, "", heads)
    queries = {m.view.tensor for m in _there(own, ["attention in", "query", "query down"])}
    direct = [m for m in readers if m.role not in _BEHIND or m.view.tensor in queries]
    return _Sublayer(
        readers if is_direct else direct, writers, inner if is_plain else [], bool(readers)
    )


def _cross_attention(own: Mapping[Role, Matrix], heads: int | None) -> _Sublayer:
    readers = _there(own, ["cross attention in", "cross query"])
    return _Sublayer(readers, _there(own, ["cross attention out"]), _inside(own, "cross ", heads))


def _inside(own: Mapping[Role, Matrix], kind: str, heads: int | None) -> list[Pair]:
    by_name = {str(role): matrix for role, matrix in own.items()}
    names = ("query", "key", "value", "attention out")
    query, key, value, out = (by_name.get(f"{kind}{name}") for name in names)
    pairs = []
    if query is not None and key is not None and heads is not None:
        pairs.append(query_key(query, key, heads))
    if value is not None and out is not None:
        is_shared = value.view.rows < out.view.columns and heads is not None
        pairs.append(value_out(value, out, heads or 1) if is_shared else follow(value, out))
    if not kind and out is not None:
        pairs += [follow(gate, out) for gate in _channelwise(own)]
    return pairs


def _channelwise(own: Mapping[Role, Matrix]) -> list[Matrix]:
    """Return what scales values number by number: gates, and keys without queries (RWKV)."""
    if "attention gate" not in own:
        return []
    alone = "query" not in own and "receptance" not in own
    return _there(own, ["attention gate", "key"] if alone else ["attention gate"])


def _mixer(own: Mapping[Role, Matrix]) -> _Sublayer:
    return _Sublayer(_there(own, ["mixer in"]), _there(own, ["mixer out"]), mixer_pairs(own))


def _mlps(block: Block) -> _Sublayer:
    units: dict[str, dict[Role, Matrix]] = {}
    for (role, unit), matrix in block.matrices.items():
        if role in _MLP:
            units.setdefault(unit, {})[role] = matrix
    reading: tuple[Role, ...] = ("router", *_MLP_IN, "MLP receptance")
    readers = [m for own in units.values() for m in _there(own, reading)]
    whole = () if block.is_short else units.values()
    inner = [pair for own in whole for pair in _inside_mlp(own)]
    writers = [own["MLP out"] for own in units.values() if "MLP out" in own]
    return _Sublayer(readers, writers, inner)


def _inside_mlp(own: Mapping[Role, Matrix]) -> list[Pair]:
    """Return the pairs inside an MLP, in which a convolution may stand (SegFormer)."""
    between, last = _there(own, ["MLP convolution"]), _there(own, ["MLP out"])
    first = _there(own, _MLP_IN)
    steps = [*product(first, between or last), *product(between, last)]
    return [follow(previous, following) for previous, following in steps]


def _there(own: Mapping[Role, Matrix], roles: Iterable[Role]) -> list[Matrix]:
    return [own[role] for role in roles if role in own]


def _mixes(block: Block) -> bool:
    return any(role in (*_READERS, "mixer in") for role in block.main())


def _ends_with_mlp(block: Block) -> bool:
    return any(role in ("MLP out", "mixer out") for role, _ in block.matrices)
