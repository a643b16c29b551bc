"""Flags of many tensors that are told in a line, as a shard that is not there leaves them."""

import re
from collections.abc import Iterable, Sequence
from itertools import chain

from specflow.errors import number_of, some_of

Line = tuple[int, str, str, str]  # step, tensor, flag, evidence

_EACH = ("missing", "extra", "reshaped")  # flags of which every tensor has its own
_SINGLE = 3  # of a step and flag, at most, are told one by one
_MOST_PARTS = 10  # of a network that are told apart; else all of it is one


def in_groups(flags: Iterable[Line]) -> list[Line]:
    """Return flags as a reader wants them: one for all tensors of a part of a step's network.

    A part is what names have in common before their first number, "model.layers"; of a name without
    one, before its first dot. Their order is that of the flags.

    Args:
        flags: Step, tensor, flag and evidence of each.
    """
    alike: dict[tuple[int, str, int], list[Line]] = {}
    for number, line in enumerate(flags):
        step, _, flag, _ = line
        alike.setdefault((step, flag, -1 if flag in _EACH else number), []).append(line)
    return [*chain.from_iterable(map(_by_part, alike.values()))]


def _by_part(lines: list[Line]) -> list[Line]:
    """Return a line for each part of a network, of lines of one step and flag."""
    if len(lines) <= _SINGLE:
        return lines
    parts: dict[str, list[Line]] = {}
    for line in lines:
        parts.setdefault(_part(line[1]), []).append(line)
    if len(parts) > _MOST_PARTS:
        parts = {"": lines}
    return [_line(part, own) for part, own in parts.items()]


def _part(name: str) -> str:
    stem = re.split(r"\d", name, maxsplit=1)[0]
    return name.partition(".")[0] if stem == name else stem.rstrip(".")


def _line(part: str, lines: Sequence[Line]) -> Line:
    step, _, flag, evidence = lines[0]
    if len(lines) == 1:
        return lines[0]
    of = f" of {part}" if part else ""
    said = f"{number_of(len(lines), 'tensor')}{of}, the first: {evidence}"
    return step, some_of((line[1] for line in lines), _SINGLE), flag, said
