"""Neighbours in torch's LSTMs: input and hidden weights, layer by layer, gate g."""

import re
from collections.abc import Sequence
from dataclasses import replace

from specflow.suites.architectures import Architecture
from specflow.suites.matrices import Cut, SuiteMatrix
from specflow.suites.neighbours import Meeting, Neighbours

_NAME = re.compile(r"(?:(.*)\.)?weight_(ih|hh)_l(\d+)(_reverse)?")
_KINDS = {"ih": "input", "hh": "hidden"}

Lstm = dict[tuple[int, int, str], SuiteMatrix]


def lstms_of(matrices: Sequence[SuiteMatrix]) -> list[Lstm]:
    """Return every LSTM: its labelled matrices by layer, direction and kind, in order of depth.

    Other recurrent layers have the same names, but not four times as many rows as hidden units.
    """
    found: dict[str, Lstm] = {}
    for matrix in matrices:
        match = _NAME.fullmatch(matrix.name)
        if match is not None:
            owner, kind, layer, reverse = match.groups()
            found.setdefault(owner or "", {})[int(layer), int(bool(reverse)), kind] = matrix
    found = {owner: lstm for owner, lstm in found.items() if _is_lstm(lstm)}
    return [_labelled(owner if len(found) > 1 else "", lstm) for owner, lstm in found.items()]


def output_of(
    matrices: Sequence[SuiteMatrix], lstms: Sequence[Lstm], architecture: Architecture
) -> SuiteMatrix | None:
    """Return the output layer, if there is one LSTM whose hidden states it can read."""
    named = [m for m in matrices if m.name.rsplit(".", 1)[-1] in architecture.outputs]
    if len(lstms) != 1 or len(named) != 1:
        return None
    hidden = next(m.columns for (_, _, kind), m in lstms[0].items() if kind == "hh")
    fits = named[0].columns == hidden * _directions(lstms[0])
    return replace(named[0], label="output") if fits else None


def lstm_pairs(lstm: Lstm, output: SuiteMatrix | None) -> list[Neighbours]:
    """Return the neighbours of an LSTM.

    Rows are the stacked gates i, f, g, o, of which g is compared. A layer above reads both
    directions side by side: a direction meets its own half of the columns.

    Args:
        lstm: Its matrices.
        output: The layer that reads it.

    Returns:
        The pairs in order of depth whose dimensions meet.
    """
    pairs = []
    directions, top = _directions(lstm), max(layer for layer, _, _ in lstm)
    for layer, direction in sorted({(layer, d) for layer, d, _ in lstm}):
        own = [lstm[key] for kind in _KINDS if (key := (layer, direction, kind)) in lstm]
        pairs += [_pair(own[0], _gate(own[1]), own[1].label)] if len(own) == 2 else []
        above = output if layer == top else lstm.get((layer + 1, direction, "ih"))
        if above is not None:
            reader = above if layer == top else _gate(above)
            half = _half(reader, direction, directions)
            pairs += [_pair(matrix, half, above.label) for matrix in own]
    return [pair for pair in pairs if pair.fit]


def _is_lstm(lstm: Lstm) -> bool:
    hidden = [m for (_, _, kind), m in lstm.items() if kind == "hh"]
    return bool(hidden) and all(m.rows == 4 * m.columns for m in hidden)


def _directions(lstm: Lstm) -> int:
    return 1 + max(direction for _, direction, _ in lstm)


def _labelled(owner: str, lstm: Lstm) -> Lstm:
    def label(layer: int, direction: int, kind: str) -> str:
        words = [owner, f"layer {layer + 1}", "reverse" if direction else "", _KINDS[kind]]
        return " ".join(word for word in words if word)

    order = sorted(lstm, key=lambda key: (key[0], key[1], key[2] == "hh"))
    return {key: replace(lstm[key], label=label(*key)) for key in order}


def _gate(matrix: SuiteMatrix) -> SuiteMatrix:
    return matrix.part("g", f"{matrix.label} gate g", Cut(0, 2, 3, 4))


def _half(matrix: SuiteMatrix, direction: int, directions: int) -> SuiteMatrix:
    if directions == 1:
        return matrix
    cut = Cut(1, direction, direction + 1, directions)
    return matrix.part(f"inputs{direction}", f"{matrix.label} inputs {direction + 1}", cut)


def _pair(previous: SuiteMatrix, following: SuiteMatrix, label: str) -> Neighbours:
    return Neighbours(f"{previous.label} -> {label}", (Meeting(_gate(previous), following),))
