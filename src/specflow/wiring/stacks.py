"""From the matrices of checkpoints to stacks of blocks: turned, cut, labelled."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from specflow.wiring.between import stands_before, strangers
from specflow.wiring.heads import count_heads, heads_of_block
from specflow.wiring.orientation import oriented, width_of
from specflow.wiring.parallel import is_parallel
from specflow.wiring.places import Place, place_of
from specflow.wiring.splitting import Splitter
from specflow.wiring.structure import Structure
from specflow.wiring.tensors import TensorInfo
from specflow.wiring.transformer import Block
from specflow.wiring.view import Joined
from specflow.wiring.vocabulary import ROLES, Role
from specflow.wiring.wiring import Matrix

_READERS: tuple[Role, ...] = (
    *("attention in", "query", "query down", "key value", "key", "receptance", "mixer in"),
)


@dataclass(frozen=True)
class Known:
    """What is known before matrices are looked at.

    Attributes:
        tensors: Shape and dtype of every tensor by name.
        structure: What else is known of the network.
        num_heads: Attention heads that params ask for.
        turned: Names of tensors whose orientation is known.
    """

    tensors: Mapping[str, TensorInfo]
    structure: Structure
    num_heads: int | None
    turned: frozenset[str]


@dataclass(frozen=True)
class Stack:
    """Blocks of one kind that follow each other, or one lone attention.

    Attributes:
        path: What stands before the numbers of the blocks, "model.layers.".
        width: How many numbers pass from block to block, where that is known.
        heads: Attention heads of the first block that has some, where they are known.
        blocks: In order of depth.
        became: What each matrix was turned and cut into.
        whole: Why matrices that hold several stay whole.
        is_whole: Whether there are as many blocks as a config counts; else it is not known what
            reads the last one.
        between: Names of what stands between queries, keys or values and is not known.
        notes: What had to be taken for granted, a sentence each.
    """

    path: str
    width: int | None
    heads: int | None
    blocks: tuple[Block, ...]
    became: Mapping[str, Sequence[Matrix]] = field(default_factory=dict)
    whole: Mapping[str, str] = field(default_factory=dict)
    is_whole: bool = True
    between: Sequence[str] = ()
    notes: tuple[str, ...] = ()

    @property
    def has_attention(self) -> bool:
        """Whether its blocks read by attention or by a state space, as those of a transformer."""
        return any(role in _READERS for block in self.blocks for role, _ in block.matrices)

    @property
    def reads_encoder(self) -> bool:
        """Whether its blocks have cross-attention."""
        return any(role.startswith("cross") for block in self.blocks for role, _ in block.matrices)


def stacks_of(matrices: Sequence[Matrix], known: Known) -> list[Stack]:
    """Return the stacks that names tell of, in order of their first matrices.

    Raises:
        SpecflowError: If the heads that params ask for are not those of the network.
    """
    placed: dict[str, dict[Matrix, Place]] = {}
    unplaced: list[str] = []
    for matrix in matrices:
        place = place_of(matrix)
        if place is None:
            unplaced.append(matrix.name)
        else:
            placed.setdefault(place.stack, {})[_joined(matrix, place)] = place
    placed = {path: own for path, own in placed.items() if _is_stack(own.values())}
    several = sum(any(p.index is not None for p in own.values()) for own in placed.values()) > 1
    return [_stack(path, own, known, several, unplaced) for path, own in placed.items()]


def _joined(matrix: Matrix, place: Place) -> Matrix:
    """Return a matrix, one of XLNet's (width, heads, size of a head) with its heads joined."""
    if not place.path.startswith("rel_attn.") or len(matrix.view.shape) != 3 or matrix.view.cuts:
        return matrix
    inputs_first = place.role != "attention out"
    return replace(matrix, view=replace(matrix.view.cut(Joined(1)), transposed=inputs_first))


def _stack(
    path: str,
    placed: Mapping[Matrix, Place],
    known: Known,
    several: bool,
    unplaced: Sequence[str],
) -> Stack:
    placed = _with_gates(path, placed, known.tensors)
    width = width_of(path, known.tensors)
    conv1d = _is_conv1d(path, placed, known.structure)
    turned, guessed = oriented(placed, width, known.turned, conv1d)
    by_index = _by_index(placed, turned)
    reading = [b for b in by_index.values() if any(p.role == "attention out" for p in b.values())]
    first = next(iter(reading or by_index.values()))
    heads = count_heads(path, first, known.tensors, known.structure, known.num_heads)
    parallel, assumed = is_parallel(path, known.tensors, known.structure)
    blocks: list[Block] = []
    became: dict[str, list[Matrix]] = {}
    whole: dict[str, str] = {}
    between: list[str] = []
    convolves = any(n.startswith(path) and ".mlp.dwconv." in n for n in known.tensors)
    gated = {p.unit for p in placed.values() if p.role == "MLP in"}
    for index, matrices in by_index.items():
        at = path if index is None else f"{path}{index}."
        own = heads_of_block(at, matrices, first, heads, known.structure)
        splitter = Splitter(known.tensors, known.structure, own, matrices)
        parts, left = splitter.split()
        unknown = strangers(at, matrices, unplaced, known.tensors)
        between += (inside := [name for name in unknown if not stands_before(name)])
        labelled = _labelled(path, index, parts, several, gated)
        is_short = convolves and not any(role == "MLP convolution" for role, _ in labelled)
        narrow = any(name.startswith(f"{at}bottleneck.") for name in unplaced)
        order = None if narrow else parallel  # MobileBERT's blocks hold more than what is known
        blocks.append(Block(labelled, index, order, own, not inside, not unknown, is_short))
        became |= _by_tensor(parts, blocks[-1].matrices)
        whole |= left
    square = ["all matrices are square; taken as (inputs, outputs), as GPT-2 has them"]
    notes = tuple(f"{path}*: {note}" for note in (*(square if guessed else []), *assumed))
    is_whole = known.structure.num_blocks_of(path) in (None, (blocks[-1].index or 0) + 1)
    return Stack(path, width, heads, tuple(blocks), became, whole, is_whole, between, notes)


def _by_index(
    placed: Mapping[Matrix, Place], turned: Mapping[Matrix, Matrix]
) -> dict[int | None, dict[Matrix, Place]]:
    """Return the turned matrices of each block with their places, in order of depth."""
    found: dict[int | None, dict[Matrix, Place]] = {}
    for matrix, place in placed.items():
        found.setdefault(place.index, {})[turned[matrix]] = place
    return dict(sorted(found.items(), key=lambda one: -1 if one[0] is None else one[0]))


def _is_stack(places: Iterable[Place]) -> bool:
    """Return whether there are blocks, or a lone attention that has more than an `out_proj`."""
    return any(one.index is not None or one.role != "attention out" for one in places)


def _with_gates(
    path: str, placed: Mapping[Matrix, Place], tensors: Mapping[str, TensorInfo]
) -> Mapping[Matrix, Place]:
    """Return places, a receptance as a gate where nothing tells that it meets keys head by head.

    It scales what is read in RWKV-4; since RWKV-5 it is a query, and `ln_x` norms what heads make.
    """
    if any(name.startswith(path) and ".ln_x." in name for name in tensors):
        return placed
    return {
        m: replace(p, role="attention gate") if p.role == "receptance" else p
        for m, p in placed.items()
    }


def _is_conv1d(path: str, placed: Mapping[Matrix, Place], structure: Structure) -> bool:
    """Return whether matrices that no shape turns lie (inputs, outputs): GPT-2's Conv1D."""
    model = structure.says("model_type", path)
    names = any(place.path == "attn.c_attn" for place in placed.values())
    return model == "gpt2" if model else names


def _labelled(
    path: str,
    index: int | None,
    parts: Mapping[Matrix, Place],
    several: bool,
    gated: Collection[str],
) -> dict[tuple[Role, str], Matrix]:
    """Return the matrices of a block by role and unit, labelled, in order of depth.

    What is named as a gate is none in a unit where nothing stands beside it in any block.
    """
    owner = path.rstrip(".")
    if index is not None:
        stem = owner.rpartition(".")[0] or owner
        owner = f"{stem if several else ''} block {index + 1}"
    units = {unit: n for n, unit in enumerate(dict.fromkeys(p.unit for p in parts.values()))}
    has_input = {*gated, *(place.unit for place in parts.values() if place.role == "MLP in")}
    found: dict[tuple[Role, str], Matrix] = {}
    for matrix, place in sorted(
        parts.items(),
        key=lambda item: (item[1].unit != "", units[item[1].unit], ROLES.index(item[1].role)),
    ):
        is_gate = place.path.endswith("gate_proj") or place.unit in has_input
        lone = place.role == "MLP gate" and not is_gate
        role: Role = "MLP in" if lone else place.role
        label = " ".join(part for part in (owner.strip(), place.unit, role) if part)
        found.setdefault((role, place.unit), replace(matrix, label=label, role=role))
    return found


def _by_tensor(
    parts: Mapping[Matrix, Place], block: Mapping[tuple[Role, str], Matrix]
) -> dict[str, list[Matrix]]:
    labelled = {matrix.name: matrix for matrix in block.values()}
    found: dict[str, list[Matrix]] = {}
    for matrix in parts:
        found.setdefault(matrix.view.tensor, []).append(labelled.get(matrix.name, matrix))
    return found
