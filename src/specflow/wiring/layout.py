"""The layout of a network: its stacks of blocks, recurrent layers and sequences, and who meets."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from specflow.errors import number_of, some_of
from specflow.wiring.between import is_harmless
from specflow.wiring.ends import Ends, ends_of
from specflow.wiring.lstm import lstm_pairs, lstms_of, reads_states
from specflow.wiring.sequences import block_pairs, numbered_pairs, sequence_pairs
from specflow.wiring.stacks import Known, Stack, stacks_of
from specflow.wiring.transformer import last_writers, transformer_pairs
from specflow.wiring.wiring import Matrix, Pair

_ATTENTION = re.compile(r"attn|attention|qkv|mixer\.m\.", re.IGNORECASE)


@dataclass(frozen=True)
class Layout:
    """What was recognized.

    Attributes:
        matrices: All, turned, cut and labelled, in order of depth.
        pairs: Neighbours, those included whose dimensions do not meet.
        said: What was recognized, a sentence each.
        notes: What is missing or was taken for granted, a sentence each.
        has_heads: Whether the heads of any attention are known.
    """

    matrices: tuple[Matrix, ...]
    pairs: tuple[Pair, ...] = ()
    said: tuple[str, ...] = ("layout: not asked for; matrices are whole, neighbours unknown",)
    notes: tuple[str, ...] = ()
    has_heads: bool = False


def layout_of(matrices: Sequence[Matrix], known: Known) -> Layout:
    """Return the layout that names, shapes and what else is known tell of.

    Raises:
        SpecflowError: If the heads that params ask for are not those of the network.
    """
    stacks = stacks_of(matrices, known)
    in_stacks = {tensor for stack in stacks for tensor in stack.became}
    others = [m for m in matrices if m.view.tensor not in in_stacks]
    ends = ends_of(others, stacks, known.structure, known.tensors)
    pairs, inner = [*_pairs(stacks, ends), *ends.pairs], _inner(stacks)
    recurrent, of_recurrent = _recurrent(others, ends)
    placed = {m.name for m in (*ends.firsts, *ends.outputs, *recurrent)}
    left = [m for m in others if m.name not in placed]
    plain = [*ends.firsts, *inner, *left, *ends.outputs]
    pairs += block_pairs(plain)
    if known.structure.layers:
        pairs += sequence_pairs(plain, known.structure.sequences)
    else:
        pairs += numbered_pairs(plain, known.tensors)
    return Layout(
        (*ends.firsts, *inner, *recurrent, *left, *ends.outputs),
        (*pairs, *of_recurrent),
        tuple(_said(stacks, recurrent, pairs, len(matrices))),
        (*_notes(stacks), *_not_understood(left, stacks, pairs)),
        any(stack.heads for stack in stacks),
    )


def _pairs(stacks: Sequence[Stack], ends: Ends) -> list[Pair]:
    encoders = [stack for stack in stacks if stack.has_attention and not stack.reads_encoder]
    encoded = last_writers(encoders[-1].blocks) if encoders and encoders[-1].is_whole else ()
    pairs: list[Pair] = []
    for stack in stacks:
        path = stack.path
        firsts, outputs = ends.before.get(path, ()), ends.behind.get(path, ())
        if stack.has_attention:
            above = encoded if stack.reads_encoder else ()
            pairs += transformer_pairs(stack.blocks, firsts, outputs, above)
        else:  # what passes from block to block is not known
            for block in stack.blocks:
                pairs += transformer_pairs([replace(block, index=None)], (), ())
    return pairs


def _inner(stacks: Iterable[Stack]) -> list[Matrix]:
    """Return all matrices of blocks, labelled, also those that have no place in a block."""
    found: dict[str, Matrix] = {}
    for stack in stacks:
        for block in stack.blocks:
            found |= {matrix.name: matrix for matrix in block.matrices.values()}
        for parts in stack.became.values():
            found |= {matrix.name: matrix for matrix in parts if matrix.name not in found}
    return list(found.values())


def _recurrent(matrices: Sequence[Matrix], ends: Ends) -> tuple[list[Matrix], list[Pair]]:
    lstms = lstms_of(matrices)
    found = [matrix for lstm in lstms for matrix in lstm.values()]
    outputs = [m for m in ends.outputs if len(lstms) == 1 and reads_states(m, lstms[0])]
    above = outputs[0] if len(outputs) == 1 else None
    return found, [pair for lstm in lstms for pair in lstm_pairs(lstm, above)]


def _said(
    stacks: Sequence[Stack], recurrent: Sequence[Matrix], pairs: Sequence[Pair], count: int
) -> Iterable[str]:
    for stack in stacks:
        if stack.blocks[0].index is not None:
            where = stack.path.rstrip(".") or "the network"
            kind = ", ".join(_kinds(stack))
            yield f"layout: {len(stack.blocks)} blocks in {where}{f' ({kind})' if kind else ''}"
    if recurrent:
        yield f"layout: {len(recurrent)} matrices of LSTMs"
    if not stacks and not recurrent:
        met = len({view.tensor for pair in pairs for view in pair.views})
        if pairs and len(pairs) == count - 1:
            yield "layout: plain layers in sequence"
        elif pairs:
            yield f"layout: no transformer; {met} of {count} matrices in sequences of layers"
        else:
            yield "layout: none found; matrices are whole, neighbours unknown"


def _not_understood(
    matrices: Iterable[Matrix], stacks: Iterable[Stack], pairs: Iterable[Pair]
) -> Iterable[str]:
    """Yield how many matrices are of attentions that have no place in any block."""
    known = {view.tensor for pair in pairs for view in pair.views}
    known |= {name for stack in stacks for name in stack.between}
    names = [
        m.name
        for m in matrices
        if _ATTENTION.search(m.name)
        and not {m.name, m.view.tensor} & known
        and not is_harmless(m.name)
    ]
    if names:
        yield (
            f"{number_of(len(names), 'matrix', 'matrices')} of attentions are not understood, and "
            f"not compared: {some_of(names, 3)}"
        )


def _kinds(stack: Stack) -> Iterable[str]:
    roles = {role for block in stack.blocks for role, _ in block.matrices}
    if "attention out" in roles:
        yield f"{stack.heads} heads" if stack.heads else "heads not known"
    if stack.blocks[0].parallel and {"attention out", "MLP out"} <= roles:
        yield "attention and MLP in parallel"
    units = {unit for _, unit in stack.blocks[-1].matrices if unit}
    if units:
        yield f"{len(units)} experts"


def _notes(stacks: Sequence[Stack]) -> Iterable[str]:
    for stack in stacks:
        yield from stack.notes
        if not stack.is_whole:
            yield (
                f"{stack.path}*: the config counts other blocks than are there: what reads the "
                "last one is not known"
            )
        if stack.between:
            yield (
                f"{stack.path}*: attentions hold what is not known, {some_of(stack.between, 3)}: "
                "nothing inside them is compared"
            )
        reasons = Counter(stack.whole.values())
        for reason, count in reasons.items():
            yield f"{stack.path}*: {count} fused matrices stay whole: {reason}"
        queries = [
            m
            for block in stack.blocks
            for (role, _), m in block.matrices.items()
            if role == "query" and block.is_plain
        ]
        keys = any(role == "key" for b in stack.blocks for role, _ in b.matrices)
        if queries and keys and stack.heads is None:
            yield (
                f"{stack.path}*: num_heads is not given: {len(queries)} queries are not compared "
                "with their keys"
            )
        unknown = [str((b.index or 0) + 1) for b in stack.blocks if b.heads is None]
        if stack.heads is not None and unknown:
            yield (
                f"{stack.path}*: blocks {some_of(unknown, 5)} have other rows of queries, keys or "
                "values than the first: their heads are not known, nor compared"
            )
        yield from _uneven(stack)


def _uneven(stack: Stack) -> Iterable[str]:
    """Yield which blocks have fewer matrices with a role than most others."""
    counts = {b.index: len(b.matrices) for b in stack.blocks if b.index is not None}
    if not counts:
        return
    often = Counter(counts.values())
    usual = max(often, key=lambda count: (often[count], count))
    fewer = [str(index + 1) for index, count in counts.items() if count < usual]
    if fewer:
        yield f"{stack.path}*: blocks {some_of(fewer, 5)} have fewer matrices than the others"
