"""What feeds the first block of a stack, and what reads its last one."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from specflow.matrices import Side
from specflow.wiring.orientation import is_norm
from specflow.wiring.stacks import Stack
from specflow.wiring.structure import TOWERS, Structure
from specflow.wiring.vocabulary import EMBEDDINGS, HEADS, OUTPUTS, PATCHES, POSITIONS, TIED
from specflow.wiring.wiring import Matrix, Pair, follow

_KINDS: Mapping[str, Sequence[str]] = {
    "embedding": EMBEDDINGS,
    "patch embedding": PATCHES,
    "positions": POSITIONS,
    "head": HEADS,
    "output": OUTPUTS,
}
_OF_GPT_2 = re.compile(r"\.attn\.(c_attn|attention\.q_proj|Wqkv)\.")
# Families behind whose blocks no norm with weights stands, by model_type.
_WITHOUT_NORM = (
    *("bart", "blenderbot-small", "flaubert", "fsmt", "led", "marian", "mvp", "olmo"),
    *("openai-gpt", "plbart", "xlm"),
)
_NORM_BEFORE = re.compile(r"(emb|pre)[^.]*$")  # word_embeddings_layernorm of BLOOM
_CAUSAL = ("LMHeadModel", "ForCausalLM", "ForMaskedLM", "ForConditionalGeneration")


@dataclass(frozen=True)
class Ends:
    """What stands before and behind the blocks of a network.

    Attributes:
        firsts: Embeddings of tokens, patches and positions, labelled.
        outputs: Output layers, and layers between the blocks and one of them, labelled.
        before: What feeds each stack, with its side of outputs, by the stack's path.
        behind: What reads each stack, likewise.
        pairs: Layers between the blocks and an output layer, with it.
    """

    firsts: Sequence[Matrix]
    outputs: Sequence[Matrix]
    before: Mapping[str, Sequence[tuple[Matrix, Side]]]
    behind: Mapping[str, Sequence[Matrix]]
    pairs: Sequence[Pair]


def ends_of(
    matrices: Iterable[Matrix],
    stacks: Sequence[Stack],
    structure: Structure,
    tensors: Collection[str],
) -> Ends:
    """Return the ends of stacks: each the one whose name stands nearest to a stack's and fits."""
    found = _by_kind(matrices)
    towers = [
        stack for stack in stacks if stack.has_attention and stack.blocks[0].index is not None
    ]
    before: dict[str, list[tuple[Matrix, Side]]] = {}
    behind: dict[str, list[Matrix]] = {}
    pairs: list[Pair] = []
    for stack in _first_of_each(towers):
        embedding = _nearest(found["embedding"], stack, "right", towers)
        patches = _nearest(found["patch embedding"], stack, "left", towers)
        if embedding is not None and _is_of_images(stack.path) > _is_of_images(embedding.name):
            embedding = None  # that of another tower
        rows: list[tuple[Matrix, Side]] = [] if embedding is None else [(embedding, "right")]
        before[stack.path] = rows if patches is None else [*rows, (patches, "left")]
    readers = [stack for stack in towers if stack.reads_encoder] or _last_of_each(towers)
    for stack in readers:
        output = _nearest(found["output"], stack, "right", readers)
        if output is not None and len(_fed_by(output, "right", readers)) > 1:
            output = None
        head = _nearest(found["head"], stack, "right", readers)
        ended = head is not None or _has_last_norm(stack, structure, tensors)
        if output is None and len(readers) == 1 and ended:
            output = _tied(before.get(stack.path, ()), structure, stack, tensors)
        last = [one for one in (head, output) if one is not None]
        if head is None and _lacks_head(tensors):
            last = []
        behind[stack.path] = last[:1] if stack.is_whole else []
        pairs += [follow(last[0], last[1])] if len(last) == 2 else []
    firsts = [m for kind in ("embedding", "patch embedding", "positions") for m in found[kind]]
    return Ends(firsts, [*found["head"], *found["output"]], before, behind, pairs)


def _by_kind(matrices: Iterable[Matrix]) -> dict[str, list[Matrix]]:
    found: dict[str, list[Matrix]] = {kind: [] for kind in _KINDS}
    for matrix in matrices:
        kind = next((k for k, names in _KINDS.items() if _is_named(matrix.name, names)), None)
        is_flat = matrix.name.endswith("conv_proj") and len(matrix.view.shape) < 4
        if kind is not None and not matrix.view.cuts and not is_flat:
            found[kind].append(replace(matrix, role=kind))
    return {kind: _labelled(own, kind) for kind, own in found.items()}


def _is_named(name: str, ends: Iterable[str]) -> bool:
    return any(name == end or name.endswith(f".{end}") for end in ends)


def _labelled(matrices: Sequence[Matrix], kind: str) -> list[Matrix]:
    """Return matrices labelled by their kind, and by where they stand if there are several."""
    if len(matrices) == 1:
        return [replace(matrices[0], label=kind)]
    owners = Counter(m.name.rpartition(".")[0] for m in matrices)
    places = ((m, m.name.rpartition(".")[0]) for m in matrices)
    return [
        replace(m, label=f"{owner if owner and owners[owner] == 1 else m.name} {kind}")
        for m, owner in places
    ]


def _nearest(
    candidates: Sequence[Matrix], stack: Stack, side: Side, stacks: Sequence[Stack]
) -> Matrix | None:
    """Return the candidate whose name shares most with a stack's, if one alone does.

    It fits the stack, and shares as much with it as with any other.
    """
    own = [m for m in candidates if stack in _fed_by(m, side, stacks)]
    shared = [_shared(m.name, stack.path) for m in own]
    best = [m for m, count in zip(own, shared, strict=True) if count == max(shared)]
    return best[0] if len(best) == 1 else None


def _fed_by(matrix: Matrix, side: Side, stacks: Sequence[Stack]) -> list[Stack]:
    """Return the stacks that a matrix fits whose names share most with its own."""
    fitting = [stack for stack in stacks if stack.width in (None, matrix.view.length(side))]
    most = max((_shared(matrix.name, stack.path) for stack in fitting), default=0)
    return [stack for stack in fitting if _shared(matrix.name, stack.path) == most]


def _shared(name: str, path: str) -> int:
    """Return how many first parts two names have in common, or 1 for words of the same tower."""
    pairs = zip(name.split("."), path.split("."), strict=False)
    common = next((n for n, (a, b) in enumerate(pairs) if a != b), 0)
    kin = any(_has(name, words) and _has(path, words) for words in TOWERS.values())
    return max(common, int(kin))


def _has(name: str, words: Iterable[str]) -> bool:
    return any(word in name for word in words)


def _is_of_images(name: str) -> bool:
    return _has(name, TOWERS["vision_config"])


def _first_of_each(towers: Sequence[Stack]) -> list[Stack]:
    """Return the stacks that no other feeds: those of stages stand after each other."""
    alone = {_tower(tower): tower for tower in reversed(towers)}
    parents = {tower.rstrip(".").rpartition(".")[0]: one for tower, one in alone.items()}
    return list(parents.values())[::-1]  # of several in one module (CaiT) it is the first


def _last_of_each(towers: Sequence[Stack]) -> list[Stack]:
    return list({_tower(tower): tower for tower in towers}.values())


def _tower(stack: Stack) -> str:
    """Return the name of a stack without the numbers of stages."""
    return ".".join(part for part in stack.path.split(".") if not part.isdecimal())


def _lacks_head(tensors: Iterable[str]) -> bool:
    """Return whether what belongs to a layer before the output is there, but not its weight."""
    known = set(tensors)
    beside = re.compile(rf"(?:.*\.)?({'|'.join(map(re.escape, HEADS))})\.bias")
    norms = re.compile(
        r"(.*(?:^|\.)(?:predictions\.transform|lm_head|head)\.)(?:\w*[nN]orm)\.weight"
    )
    without = any(beside.fullmatch(n) and f"{n[:-4]}weight" not in known for n in known)
    owners = [match[1] for name in known if (match := norms.fullmatch(name))]
    return without or any(f"{owner}dense.weight" not in known for owner in owners)


def _has_last_norm(stack: Stack, structure: Structure, tensors: Iterable[str]) -> bool:
    """Return whether the norm behind the blocks of a stack is there, or its family has none.

    A first part of a file (a shard) lacks it, and so tells nothing of what its last block feeds.
    """
    if structure.says("model_type", stack.path) in _WITHOUT_NORM:
        return True
    owner = stack.path.rstrip(".").rpartition(".")[0]
    own = (name for name in tensors if name.rpartition(".")[0].rpartition(".")[0] == owner)
    return any(is_norm(name) and not _NORM_BEFORE.search(name.rpartition(".")[0]) for name in own)


def _tied(
    before: Sequence[tuple[Matrix, Side]],
    structure: Structure,
    stack: Stack,
    tensors: Iterable[str],
) -> Matrix | None:
    """Return the embedding if it is the output layer too: told, or of GPT-2 and its kin."""
    embedding = next((one for one, side in before if side == "right"), None)
    if embedding is None:
        return None
    told = structure.says("tie_word_embeddings")
    classes = structure.says("architectures")
    if isinstance(classes, list) and classes:
        is_whole = str(classes[0]).endswith(_CAUSAL)
        return embedding if is_whole and told is not False else None
    roles = {role for block in stack.blocks for role, _ in block.matrices}
    kin = any(_OF_GPT_2.search(name) for name in stack.became) and "MLP gate" not in roles
    has_own = any(name.rpartition("lm_head.")[1] for name in tensors)
    by_name = kin and not has_own and _is_named(embedding.name, TIED)
    return embedding if told or by_name else None
