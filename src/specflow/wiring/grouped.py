"""Grouped and depthwise convolutions: told by modules, else by how many channels there are."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from specflow.errors import number_of, some_of
from specflow.wiring.sequences import block_orders
from specflow.wiring.structure import Structure
from specflow.wiring.tensors import TensorInfo
from specflow.wiring.vocabulary import EMBEDDINGS
from specflow.wiring.wiring import Matrix

_COLOURS = (2, 3, 4)  # channels of an image


def with_groups(
    matrices: Sequence[Matrix], tensors: Mapping[str, TensorInfo], structure: Structure
) -> tuple[list[Matrix], list[str]]:
    """Return matrices, those of convolutions with their groups, and what was told by shapes alone.

    A kernel (c_out, c_in / groups, ...) does not say its groups. It reads a group of the channels
    that there are if nothing in the network has as few outputs as it has input channels, or if the
    layer before it in its block has as many as itself; the first convolution reads the data.
    """
    convolutions = [
        m
        for m in matrices
        if len(m.view.shape) > 2 and not m.view.cuts and "weight" in m.view.tensor
    ]
    unknown = [m for m in convolutions if m.view.tensor not in structure.layers]
    guessed = _guessed(unknown, matrices, tensors) if unknown else {}
    groups = guessed | {
        m: structure.layers[m.view.tensor].groups for m in convolutions if m not in unknown
    }
    found = [
        replace(m, view=replace(m.view, groups=groups[m])) if groups.get(m, 1) > 1 else m
        for m in matrices
    ]
    if not guessed:
        return found, []
    counted = number_of(len(guessed), "convolution is", "convolutions are")
    names = some_of((matrix.name for matrix in guessed), 1)
    told = "taken as grouped or depthwise, as the numbers of channels tell"
    return found, [f"{counted} {told}: {names}"]


def _guessed(
    convolutions: Sequence[Matrix], matrices: Sequence[Matrix], tensors: Mapping[str, TensorInfo]
) -> dict[Matrix, int]:
    written = _written(matrices, tensors)
    unexplained = [m for m in convolutions if m.view.shape[1] not in written]
    sources = _written([m for m in matrices if m not in unexplained], tensors)
    stem = _stem(unexplained, matrices)
    sources |= set() if stem is None else {stem.view.rows}
    previous = {b: a for order in block_orders(matrices) for a, b in pairwise(order)}
    found: dict[Matrix, int] = {}
    for matrix in convolutions:
        outputs, channels = matrix.view.shape[:2]
        if matrix is stem or matrix.view.transposed or _reads_data(channels, stem):
            continue
        before = previous.get(matrix)
        read = [outputs] if before is not None and before.view.rows == outputs else []
        if matrix in unexplained:
            above, most = _written_beside(matrix, matrices, unexplained)
            read += [n for n in (above, outputs) if n in sources or n <= most]
        for count in read:
            groups = count // channels if count % channels == 0 else 1
            if groups > 1 and outputs % groups == 0:
                found[matrix] = groups
                break
    return found


def _written(matrices: Iterable[Matrix], tensors: Mapping[str, TensorInfo]) -> set[int]:
    """Return how many channels there are anywhere for a convolution to read, but for single ones.

    Norms tell of those that are joined; what a last linear layer writes is read by nothing.
    """
    plain = [m.view for m in matrices if len(m.view.shape) == 2]
    found = {m.view.rows for m in matrices if len(m.view.shape) > 2}
    found |= {info.shape[0] for name, info in tensors.items() if _is_scale(name, info)}
    found |= {m.view.columns for m in matrices if m.name.rpartition(".")[2] in EMBEDDINGS}
    found |= {view.rows for view in plain} & {view.columns for view in plain}
    return found - {1}


def _is_scale(name: str, info: TensorInfo) -> bool:
    return len(info.shape) == 1 and not name.endswith("bias")


def _stem(unexplained: Sequence[Matrix], matrices: Sequence[Matrix]) -> Matrix | None:
    """Return the convolution that reads the data: alone of its name, with few channels if any has.

    Names are compared without numbers; where each has others beside it, it is the first one of a
    sequence.
    """
    reads_tokens = any(m.name.rpartition(".")[2] in EMBEDDINGS for m in matrices)
    few = _COLOURS if reads_tokens else (1, *_COLOURS)
    names = Counter(map(_pattern, unexplained))
    possible = [m for m in unexplained if m.view.shape[1] > 1 or not reads_tokens]
    alone = [m for m in possible if names[_pattern(m)] == 1]
    if alone:
        return min(alone, key=lambda m: (m.view.shape[1] not in few, m.view.shape[1] != 3))
    sequence = (m for m in possible if _pattern(m).endswith("#"))  # not one of each block
    return next((m for m in sequence if m.view.shape[1] in few), None)


def _reads_data(channels: int, stem: Matrix | None) -> bool:
    """Return whether as many channels are read as by the stem: another branch of it (RepVGG)."""
    return channels in _COLOURS and stem is not None and stem.view.shape[1] == channels


def _pattern(matrix: Matrix) -> str:
    return re.sub(r"\d+", "#", matrix.name)


def _written_beside(
    matrix: Matrix, matrices: Sequence[Matrix], unexplained: Sequence[Matrix]
) -> tuple[int, int]:
    """Return the outputs of the layer before in its own module, and the most of any other there.

    Those of layers that are no less unexplained do not count as the most; 0 where there are none.
    """
    owner = matrix.name.rpartition(".")[0]
    beside = [m for m in matrices if m.name.rpartition(".")[0] == owner]
    place = beside.index(matrix)
    others = (m.view.rows for m in beside if m not in unexplained)
    return beside[place - 1].view.rows if place else 0, max(others, default=0)
