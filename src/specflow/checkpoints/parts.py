"""Numbered parts of one checkpoint, which do not pass for its steps: shards, ranks, layers."""

import re
from collections.abc import Sequence
from pathlib import Path

from specflow.errors import SpecflowError, some_of
from specflow.wiring.names import in_natural_order

_NUMBER = re.compile(
    r"((?<![a-z])(?:consolidated|ranks?|shards?|parts?|partition|tp|pp|mp)[-_.]?)[0-9]+"
    r"|()[0-9]+(?=[-_]of[-_][0-9]+)"
    r"|(layer_)[0-9]+(?=-model_)"
    r"|(-model_)[0-9]+(?=-model_states)",
    re.IGNORECASE,
)
_OF = re.compile(r"[0-9]+[-_]of[-_]0*([0-9]+)")
_BY_NAME_ALONE = re.compile(r"consolidated\.|model_states|[0-9][-_]of[-_][0-9]|mp_rank_")
_WAYS_OUT = (
    (_OF, "expected its index (*.index.json) beside it, or its folder with one"),
    (
        re.compile(r"model_states\.pt$|mp_rank_"),
        "expected one file: DeepSpeed's zero_to_fp32.py, which lies beside its steps, merges those "
        "of ZeRO; of tensor or pipeline parallelism, merge them with what wrote them",
    ),
    (
        re.compile(r"^consolidated\."),
        "expected one file: merge the parts of Llama (convert_llama_weights_to_hf of transformers)",
    ),
)
_OTHERWISE = "expected one file: merge them, or give the step of each if they are no parts"


def check_whole(path: Path) -> None:
    """Check that a checkpoint is no numbered part of one; a part that is the only one is whole.

    Raises:
        SpecflowError: If it is, with the way out.
    """
    for place in (path, path.parent):  # mp_rank_01/model_optim_rng.pt
        if _NUMBER.search(place.name):
            inner = path.name if place != path else ""
            found = _parts_beside(place, inner)
            if len(found) > 1 or _count_said(place.name) > 1:
                raise SpecflowError(f"{path}: {said_of_parts(found)}")


def check_names_whole(names: Sequence[str]) -> None:
    """Check that checkpoints elsewhere are no numbered parts of one, by their names alone.

    Raises:
        SpecflowError: If they are, with the way out.
    """
    for name in names:
        if _count_said(name.rpartition("/")[2]) > 1:
            raise SpecflowError(f"{name}: {said_of_parts([name])}")
    if names and are_parts(names):
        raise SpecflowError(f"{names[0]}: {said_of_parts(names)}")


def are_parts(names: Sequence[str]) -> bool:
    """Return whether names of one folder are those of the parts of one checkpoint."""
    common = {_without_numbers(name) for name in names}
    return len(names) > 1 and len(common) == 1 and len(_parts_of(names[0], names)) == len(names)


def said_of_parts(names: Sequence[str]) -> str:
    """Return what parts of one checkpoint are, and the way out."""
    ways = (way for pattern, way in _WAYS_OUT if pattern.search(names[0]))
    kind = "a shard" if _OF.search(names[0]) else "a numbered part"
    listed = f" ({some_of(names, 3)})" if len(names) > 1 else ""
    return f"{kind} of one checkpoint{listed}, no step of its own; {next(ways, _OTHERWISE)}"


def _parts_beside(place: Path, inner: str) -> list[str]:
    """Return the names of all parts in the folder of one, those of folders with an inner file."""
    beside = [one.name for one in place.parent.iterdir() if not inner or (one / inner).exists()]
    return _parts_of(place.name, beside)


def _parts_of(name: str, beside: Sequence[str]) -> list[str]:
    """Return the names that differ from one in the numbers of parts alone, it among them.

    Those that any name could have must be numbered from 0 or 1 on without a gap.
    """
    common = _without_numbers(name)
    found = in_natural_order(one for one in beside if _without_numbers(one) == common)
    if _BY_NAME_ALONE.search(name):
        return found
    numbers = sorted({number for one in found for number in _numbers(one)})
    is_whole_range = numbers == [*range(numbers[0], numbers[0] + len(numbers))]
    return found if is_whole_range and numbers[0] <= 1 else [name]


def _without_numbers(name: str) -> str:
    return _NUMBER.sub(lambda match: f"{match[0].rstrip('0123456789')}#", name)


def _numbers(name: str) -> list[int]:
    found = (re.search(r"[0-9]+$", match[0]) for match in _NUMBER.finditer(name))
    return [int(number[0]) for number in found if number is not None]


def _count_said(name: str) -> int:
    match = _OF.search(name)
    return int(match[1]) if match else 1
