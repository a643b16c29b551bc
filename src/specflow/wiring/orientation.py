"""Which of a matrix's dimensions are its inputs: told by what all blocks read and write."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from specflow.wiring.places import Place
from specflow.wiring.tensors import TensorInfo
from specflow.wiring.vocabulary import Role
from specflow.wiring.wiring import Matrix

READ: frozenset[Role] = frozenset(  # what comes from the blocks before
    {
        *("attention in", "query down", "query", "key value down", "key value", "key", "value"),
        *("cross attention in", "cross query", "mixer in", "router", "MLP gate", "MLP in"),
        *("receptance", "attention gate", "MLP receptance"),
    }
)
WRITE: frozenset[Role] = frozenset({"attention out", "cross attention out", "mixer out", "MLP out"})


def width_of(stack: str, tensors: Mapping[str, TensorInfo]) -> int | None:
    """Return how many numbers pass from block to block: the length of most of their norms."""
    lengths = Counter(
        info.shape[0]
        for name, info in tensors.items()
        if name.startswith(stack) and len(info.shape) == 1 and is_norm(name)
    )
    return lengths.most_common(1)[0][0] if lengths else None


def is_norm(name: str) -> bool:
    """Return whether a tensor is the weight of a normalization of a whole layer's width."""
    path, _, last = name.rpartition(".")
    owner = path.rpartition(".")[2].lower()
    of_part = f".{path}".endswith((".mamba.norm", ".mixer.norm")) or owner.startswith(
        ("q_", "k_", "kv_", "q_a", "query_", "key_")
    )
    return last == "weight" and not of_part and ("norm" in owner or owner.startswith("ln"))


def oriented(
    placed: Mapping[Matrix, Place], width: int | None, known: Iterable[str], conv1d: bool
) -> tuple[dict[Matrix, Matrix], bool]:
    """Return the matrices of a stack, each turned so that its rows are outputs.

    A matrix that reads what passes from block to block has as many columns as that is wide, one
    that writes it as many rows. Where both dimensions are of that length, it lies as most others
    of its kind do.

    Args:
        placed: The matrices, and where they stand.
        width: What `width_of` says; None leaves all as they are.
        known: Names of tensors whose orientation is known already.
        conv1d: How they lie where no shape tells: True for (inputs, outputs).

    Returns:
        What each became, and whether some lie as `conv1d` says for want of any shape that tells.
    """
    sure, guessed = set(known), False
    turned = dict(zip(placed, placed, strict=True))
    for stacked in (False, True):
        of_kind = {
            m: p for m, p in placed.items() if p.stacked == stacked and _sides(m, p) is not None
        }
        votes = {m: _lies_turned(m, p, width) for m, p in of_kind.items()}
        told = Counter(vote for vote in votes.values() if vote is not None)
        usual = told.most_common(1)[0][0] if told else conv1d
        for matrix, vote in votes.items():
            if matrix.view.tensor in sure or matrix.view.cuts:
                continue
            guessed |= not told and conv1d
            inputs_first = usual if vote is None else vote
            if inputs_first:
                turned[matrix] = replace(matrix, view=replace(matrix.view, transposed=True))
    return turned, guessed


def _lies_turned(matrix: Matrix, place: Place, width: int | None) -> bool | None:
    """Return whether a matrix lies (inputs, outputs); None if its shape does not tell."""
    sides = _sides(matrix, place)
    if width is None or sides is None or place.role not in READ | WRITE:
        return None
    first, second = (side == width for side in sides)
    if first == second:
        return None
    return first if place.role in READ else second


def _sides(matrix: Matrix, place: Place) -> tuple[int, int] | None:
    """Return both dimensions of a matrix, or of each in a stack of them; None of a convolution."""
    shape = matrix.view.shape
    return (shape[-2], shape[-1]) if len(shape) == 2 + place.stacked else None
