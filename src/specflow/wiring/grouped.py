"""Grouped and depthwise convolutions: told by modules, else by how many channels there are."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from specflow.wiring.structure import Structure
from specflow.wiring.tensors import TensorInfo
from specflow.wiring.vocabulary import EMBEDDINGS
from specflow.wiring.wiring import Matrix

_COLOURS = (2, 3, 4)  # channels of an image


def with_groups(
    matrices: Sequence[Matrix], tensors: Mapping[str, TensorInfo], structure: Structure
) -> tuple[list[Matrix], list[str]]:
    """Return matrices, those of convolutions with their groups, and what was told by shapes alone.

    A kernel (c_out, c_in / groups, ...) does not say its groups. If nothing in the network has as
    many outputs as a kernel has input channels, it reads a group of those that there are; the
    first convolution of a network reads the data.
    """
    convolutions = [
        m for m in matrices if len(m.view.shape) > 2 and m.view.shape == m.view.remaining
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
    counted = f"{len(guessed)} convolutions are taken as grouped or depthwise, as the numbers of"
    return found, [f"{counted} channels tell: {next(iter(guessed)).name}, ..."]


def _guessed(
    convolutions: Sequence[Matrix], matrices: Sequence[Matrix], tensors: Mapping[str, TensorInfo]
) -> dict[Matrix, int]:
    written = {info.shape[0] for info in tensors.values() if info.shape}
    written |= {m.view.rows for m in matrices}
    stem = _stem(convolutions, matrices)
    found: dict[Matrix, int] = {}
    for matrix in convolutions:
        outputs, channels = matrix.view.shape[:2]
        if matrix is stem or matrix.view.transposed or channels in written:
            continue
        for read in (_written_before(matrix, matrices), outputs):
            groups = read // channels if read and read % channels == 0 else 1
            if groups > 1 and outputs % groups == 0:
                found[matrix] = groups
                break
    return found


def _stem(convolutions: Sequence[Matrix], matrices: Sequence[Matrix]) -> Matrix | None:
    """Return the convolution that reads the data: with few channels, and alone of its name.

    Names are compared without numbers; where each has others beside it, it is the first one.
    """
    reads_tokens = any(m.name.rpartition(".")[2] in EMBEDDINGS for m in matrices)
    few = _COLOURS if reads_tokens else (1, *_COLOURS)
    names = Counter(map(_pattern, convolutions))
    reading = [m for m in convolutions if m.view.shape[1] in few]
    return min(reading, key=lambda m: names[_pattern(m)] > 1, default=None)


def _pattern(matrix: Matrix) -> str:
    return re.sub(r"\d+", "#", matrix.name)


def _written_before(matrix: Matrix, matrices: Sequence[Matrix]) -> int | None:
    """Return the outputs of the layer before a convolution in its own module, if there is one."""
    owner = matrix.name.rpartition(".")[0]
    beside = [m for m in matrices if m.name.rpartition(".")[0] == owner]
    place = beside.index(matrix)
    return beside[place - 1].view.rows if place else None
