"""Neighbours inside a block of Mamba: its projections and its convolution."""

from collections.abc import Mapping

from specflow.wiring.view import Cut
from specflow.wiring.vocabulary import Role
from specflow.wiring.wiring import Matrix, Meeting, Pair


def mixer_pairs(own: Mapping[Role, Matrix]) -> list[Pair]:
    """Return the pairs inside a selective state space layer (Gu & Dao 2023; Dao & Gu 2024).

    The first projection writes what the convolution reads, and a gate that scales what the last
    one reads, number by number; in Mamba the gate comes last, in Mamba-2 first. What the
    convolution writes is read as time steps and parameters of the states.
    """
    first, convolution, last = (
        own.get(role) for role in ("mixer in", "mixer convolution", "mixer out")
    )
    pairs: list[Pair] = []
    if first is not None and convolution is not None and last is not None:
        rows, width, gate = first.view.rows, convolution.view.rows, last.view.columns
        starts = (0, width) if rows == width + gate else (gate, 0)
        pairs.append(_rows(first, starts[0], width, convolution))
        pairs.append(_rows(first, starts[1], gate, last))
    parameters, steps = own.get("mixer parameters"), own.get("mixer time step")
    if convolution is not None and parameters is not None:
        pairs.append(_rows(convolution, 0, convolution.view.rows, parameters))
    if parameters is not None and steps is not None:
        pairs.append(_rows(parameters, 0, steps.view.columns, steps))
    return pairs


def _rows(previous: Matrix, start: int, count: int, following: Matrix) -> Pair:
    """Return the pair of some outputs of a matrix and what reads them."""
    rows, axis = previous.view.rows, 1 if previous.view.transposed else 0
    view = previous.view
    if count < rows:
        view = view.cut(Cut(axis, start, start + count, rows))
    return Pair(f"{previous.label} -> {following.label}", (Meeting(view, following.view),))
