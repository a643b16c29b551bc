"""Neighbours in torch's LSTMs: input and hidden weights, layer by layer, gate g."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from specflow.wiring.view import View
from specflow.wiring.wiring import Matrix, Meeting, Pair, Wiring

_NAME = re.compile(r"(?:(.*)\.)?weight_(ih|hh)_l(\d+)(_reverse)?")
_KINDS = {"ih": "input", "hh": "hidden"}

Lstm = Mapping[tuple[int, int, str], Matrix]
"""The matrices of an LSTM by layer, direction (1 backwards) and kind (ih, hh)."""


def lstm_wiring(matrices: Iterable[Matrix], output: Matrix) -> Wiring:
    """Return the wiring of one LSTM and the layer that reads it.

    Args:
        matrices: All matrices of an `nn.LSTM`, named as torch does, in any order.
        output: What reads the states of its last layer, of both directions side by side.

    Returns:
        The wiring, its matrices labelled "layer 1 input", "layer 1 reverse hidden", ...
    """
    (lstm,) = lstms_of(matrices)
    return Wiring((*lstm.values(), output), tuple(lstm_pairs(lstm, output)))


def lstms_of(matrices: Iterable[Matrix]) -> list[Lstm]:
    """Return every LSTM: its labelled matrices by layer, direction and kind, in order of depth.

    Other recurrent layers have the same names, but not four times as many rows as hidden units.
    """
    found: dict[str, dict[tuple[int, int, str], Matrix]] = {}
    for matrix in matrices:
        match = _NAME.fullmatch(matrix.name)
        if match is not None:
            owner, kind, layer, reverse = match.groups()
            found.setdefault(owner or "", {})[int(layer), int(bool(reverse)), kind] = matrix
    lstms = {owner: lstm for owner, lstm in found.items() if _is_lstm(lstm)}
    return [_labelled(owner if len(lstms) > 1 else "", lstm) for owner, lstm in lstms.items()]


def output_of(lstms: Sequence[Lstm], candidates: Sequence[Matrix]) -> Matrix | None:
    """Return the output layer, if there is one LSTM whose hidden states it can read.

    Args:
        lstms: All LSTMs.
        candidates: Matrices that are named like an output layer.
    """
    if len(lstms) != 1 or len(candidates) != 1:
        return None
    hidden = next(m.view.columns for (_, _, kind), m in lstms[0].items() if kind == "hh")
    fits = candidates[0].view.columns == hidden * _directions(lstms[0])
    return replace(candidates[0], label="output", role="output") if fits else None


def lstm_pairs(lstm: Lstm, output: Matrix | None) -> list[Pair]:
    """Return the neighbours of an LSTM.

    Rows are the stacked gates i, f, g, o, of which g is compared (Yunis et al. 2024): what it
    computes is added to the cell, the others only scale. A layer above reads both directions side
    by side: a direction meets its own half of the columns.

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
        pairs += [_pair(own[0], _gate(own[1].view), own[1].label)] if len(own) == 2 else []
        above = output if layer == top else lstm.get((layer + 1, direction, "ih"))
        if above is not None:
            reader = above.view if layer == top else _gate(above.view)
            half = _half(reader, direction, directions)
            pairs += [_pair(matrix, half, above.label) for matrix in own]
    return [pair for pair in pairs if pair.fits]


def _is_lstm(lstm: Lstm) -> bool:
    hidden = [m.view for (_, _, kind), m in lstm.items() if kind == "hh"]
    return bool(hidden) and all(view.rows == 4 * view.columns for view in hidden)


def _directions(lstm: Lstm) -> int:
    return 1 + max(direction for _, direction, _ in lstm)


def _labelled(owner: str, lstm: Lstm) -> Lstm:
    def labelled(layer: int, direction: int, kind: str) -> Matrix:
        role = _KINDS[kind]
        words = [owner, f"layer {layer + 1}", "reverse" if direction else "", role]
        label = " ".join(word for word in words if word)
        return replace(lstm[layer, direction, kind], label=label, role=role)

    order = sorted(lstm, key=lambda key: (key[0], key[1], key[2] == "hh"))
    return {key: labelled(*key) for key in order}


def _gate(view: View) -> View:
    return view.cut_rows(2, 3, 4)


def _half(view: View, direction: int, directions: int) -> View:
    return view if directions == 1 else view.cut_columns(direction, direction + 1, directions)


def _pair(previous: Matrix, following: View, label: str) -> Pair:
    return Pair(f"{previous.label} -> {label}", (Meeting(_gate(previous.view), following),))
