"""Neighbours in torch's LSTMs: input and hidden weights, layer by layer, gate g."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from specflow.wiring.view import Cut
from specflow.wiring.wiring import Matrix, Meeting, Pair

_NAME = re.compile(r"(?:(.*)\.)?weight_(ih|hh)_l(\d+)(_reverse)?")
_ROLES = ("input", "hidden")  # what ih and hh multiply

Lstm = Mapping[tuple[int, int, int], Matrix]
"""Matrices of an LSTM by layer, direction (1 backwards) and kind (0 ih, 1 hh), in order of depth"""

_GATE_G = Cut(0, 2, 3, 4)  # of the rows, which are the stacked gates i, f, g, o


def lstms_of(matrices: Iterable[Matrix]) -> list[Lstm]:
    """Return every LSTM among matrices in any order, labelled "layer 1 reverse hidden", ...

    Other recurrent layers have the same names, but not four times as many rows as hidden units.
    """
    found: dict[str, dict[tuple[int, int, int], Matrix]] = {}
    for matrix in matrices:
        match = _NAME.fullmatch(matrix.name)
        if match is not None:
            owner, kind, layer, reverse = match.groups(default="")
            found.setdefault(owner, {})[int(layer), int(reverse != ""), int(kind == "hh")] = matrix
    lstms = {owner: lstm for owner, lstm in found.items() if _is_lstm(lstm)}
    return [_labelled(owner if len(lstms) > 1 else "", lstm) for owner, lstm in lstms.items()]


def reads_states(output: Matrix, lstm: Lstm) -> bool:
    """Return whether a matrix has a column for each hidden unit of every direction."""
    hidden = next(m.view.columns for (_, _, kind), m in lstm.items() if kind == 1)
    return output.view.columns == hidden * _directions(lstm)


def lstm_pairs(lstm: Lstm, output: Matrix | None) -> list[Pair]:
    """Return the neighbours of an LSTM and the layer that reads it, in order of depth.

    Whole matrices are decomposed, and of the left singular vectors the rows of gate g are compared
    (Yunis et al. 2024): what it computes is added to the cell, the others only scale. A layer above
    reads both directions side by side: a direction meets its own half of the right singular
    vectors. Pairs that do not fit are left out.
    """
    pairs = []
    directions, top = _directions(lstm), max(layer for layer, _, _ in lstm)
    for layer, direction in sorted({(layer, direction) for layer, direction, _ in lstm}):
        own = [lstm[key] for kind in (0, 1) if (key := (layer, direction, kind)) in lstm]
        if len(own) == 2:
            pairs.append(_pair(own[0], own[1]))
        above = output if layer == top else lstm.get((layer + 1, direction, 0))
        if above is not None:
            half = Cut(0, direction, direction + 1, 2) if directions == 2 else None
            pairs += [_pair(matrix, above, half) for matrix in own]
    return [pair for pair in pairs if pair.fits]


def _is_lstm(lstm: Lstm) -> bool:
    hidden = [m.view for (_, _, kind), m in lstm.items() if kind == 1]
    return bool(hidden) and all(view.rows == 4 * view.columns for view in hidden)


def _directions(lstm: Lstm) -> int:
    return 1 + max(direction for _, direction, _ in lstm)


def _labelled(owner: str, lstm: Lstm) -> Lstm:
    labelled = {}
    for (layer, direction, kind), matrix in sorted(lstm.items()):
        words = (owner, f"layer {layer + 1}", "reverse" if direction else "", _ROLES[kind])
        label = " ".join(word for word in words if word)
        labelled[layer, direction, kind] = replace(matrix, label=label, role=_ROLES[kind])
    return labelled


def _pair(previous: Matrix, following: Matrix, part: Cut | None = None) -> Pair:
    meeting = Meeting(previous.view, following.view, previous_part=_GATE_G, following_part=part)
    return Pair(f"{previous.label} -> {following.label}", (meeting,))
