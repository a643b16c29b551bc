"""The file of spectra, written once every step is finished.

Layout of the file (version 3), T steps:
    /step (T,) int64, /epoch (T,) float64
    /matrices/<name>: singular_values (T, R), agreement (T, k) with the last step, agreement_score
        (T,), step_agreement_score (T,) with the step before, pairwise_agreement (P, P): the score
        of any two of the P steps of `compared_steps`, and each of `QUANTITIES` (T,) that has no
        family; attributes label, role, tensor, depth, rows, columns, null_agreement
    /pairs/<label>: alignment (T, k) and alignment_score (T,); where the following matrix is a
        convolution, kernel_scores (T, kh, kw); attributes depth, null_alignment
Of the families asked for (`SpectraParams.more`) also the quantities (T,), and
    /matrices/<name>: permuted_singular_values, change_singular_values since the first step and
        step_change_singular_values since the one before, (T, R) each
    /pairs/<label>: head_singular_values (T, heads, h) of W_Q^T W_K of each head
That of a watched training has what else was given of each step, as `live.leading` says.
What is not defined (of a matrix that is all zero, not finite or not there) is NaN.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import torch
from torch import Tensor

from specflow.checkpoints.base import Step
from specflow.hdf5 import Attributes, create, describe, write
from specflow.measure.layouts import SPECTRA, compared_steps
from specflow.measure.packed import Row
from specflow.measure.quantities import quantities_always
from specflow.measure.settings import SpectraParams
from specflow.spectra import agreement_null_level, alignment_null_level
from specflow.wiring import Wiring

_HELD = 2**25  # bytes of all steps that are in memory together


class Entry(NamedTuple):
    """A matrix or a pair, as the file has it.

    Attributes:
        kind: Its group, "matrices" or "pairs".
        name: Its name or label.
        attributes: Its attributes.
        arrays: Its arrays, of all steps.
    """

    kind: str
    name: str
    attributes: Attributes
    arrays: Mapping[str, np.ndarray]


See = Callable[[Entry], None]


def write_spectra(
    path: Path,
    steps: Sequence[Step],
    wiring: Wiring,
    settings: SpectraParams,
    sizes: Sequence[int],
    rows: Callable[[int, slice], list[Row]],
    see: See | None = None,
    more: Callable[[h5py.File], None] | None = None,
) -> None:
    """Write the file.

    Args:
        path: Its place.
        steps: The steps.
        wiring: The matrices and pairs.
        settings: What is kept of each.
        sizes: Bytes of each row of a step.
        rows: Returns some rows of a step, those of matrices and then those of pairs: what the file
            has of one, but quantities and, in place of agreement of any two steps, left (c, m)
            and right (c, n), the leading singular vectors.
        see: Called with each entry, those of a kind in the order of depth.
        more: Writes what else the file is to have.

    Raises:
        SpecflowError: If it cannot be written.
    """
    about = attributes_of(wiring)
    shapes = [(m.view.rows, m.view.columns) for m in wiring.matrices] + [None] * len(wiring.pairs)
    entries = list(about)
    with create(path, SPECTRA, {}) as file:
        write(file, "step", np.array([step.number for step in steps], dtype=np.int64))
        write(file, "epoch", np.array([step.epoch for step in steps], dtype=np.float64))
        for some, over_time in _over_time(len(steps), sizes, rows):
            found = _arrays(over_time, shapes[some], settings)
            for (kind, name), own in zip(entries[some], found, strict=True):
                group = file.create_group(f"{kind}/{name}")
                arrays = {array: own[array].numpy() for array in sorted(own)}
                for array, values in arrays.items():
                    write(group, array, values)
                if see is not None:
                    see(Entry(kind, name, about[kind, name], arrays))
        for (kind, name), attributes in about.items():
            describe(file, f"{kind}/{name}", attributes)
        if more is not None:
            more(file)


def attributes_of(wiring: Wiring) -> dict[tuple[str, str], Attributes]:
    """Return the attributes of each entry, by kind and name, in the order of rows."""
    found: dict[tuple[str, str], Attributes] = {}
    for depth, matrix in enumerate(wiring.matrices):
        view = matrix.view
        found["matrices", matrix.name] = {
            "label": matrix.label,
            "role": matrix.role,
            "tensor": view.tensor,
            "depth": depth,
            "rows": view.rows,
            "columns": view.columns,
            "null_agreement": agreement_null_level(view.rows, view.columns),
        }
    for depth, pair in enumerate(wiring.pairs):
        meeting = pair.meetings[0]
        length = meeting.following.length(meeting.following_side)
        null = alignment_null_level(length) * math.sqrt(meeting.share)
        found["pairs", pair.label] = {"depth": depth, "null_alignment": null}
    return found


def _over_time(
    length: int, sizes: Sequence[int], rows: Callable[[int, slice], list[Row]]
) -> Iterator[tuple[slice, list[Row]]]:
    """Yield few neighbours at a time, and what each has of all steps, shape (T, ...)."""
    for some in _groups([length * size for size in sizes]):
        of_steps = zip(*(rows(index, some) for index in range(length)), strict=True)
        yield some, [_stacked(over_time) for over_time in of_steps]


def _stacked(over_time: Sequence[Row]) -> Row:
    return {key: torch.stack([row[key] for row in over_time]) for key in over_time[0]}


def _groups(sizes: Sequence[int]) -> list[slice]:
    """Return slices of neighbours that are one, or at most `_HELD` bytes together."""
    starts, held = [0], 0
    for place, size in enumerate(sizes):
        held += size
        if held > _HELD and place > starts[-1]:
            starts.append(place)
            held = size
    return [slice(*ends) for ends in pairwise([*starts, len(sizes)])]


def _arrays(
    rows: Sequence[Row], shapes: Sequence[tuple[int, int] | None], settings: SpectraParams
) -> list[Row]:
    """Return what the file has of matrices of some shapes, or of pairs, which have none."""
    found = [{name: row[name] for name in row if name not in ("left", "right")} for row in rows]
    matrices = [(place, shape) for place, shape in enumerate(shapes) if shape is not None]
    spectra = [rows[place]["singular_values"] for place, _ in matrices]
    quantities = quantities_always(spectra, [shape for _, shape in matrices], settings)
    for (place, _), own in zip(matrices, quantities, strict=True):
        vectors = (rows[place][side] for side in ("left", "right"))
        compared = (one[compared_steps(len(one))] for one in vectors)
        found[place] |= own | {"pairwise_agreement": pairwise_agreement(*compared)}
    return found


def pairwise_agreement(left: Tensor, right: Tensor) -> Tensor:
    """Return the agreement score of one matrix at any two steps, shape (T, T), symmetric, float64.

    Of leading singular vectors, shapes (T, c, m) and (T, c, n), NaN where not defined: the mean
    over the c vectors of |<u, u'> <v, v'>|.
    """
    total = np.zeros((len(left), len(left)))
    both = left.numpy(), right.numpy()  # of few entries the calls are what takes time
    for vector in range(left.shape[1]):
        of_left, of_right = (_products(one[:, vector]) for one in both)
        total += abs(of_left * of_right)
    return torch.from_numpy(total / left.shape[1])


def _products(vectors: np.ndarray) -> np.ndarray:
    exact = vectors.astype(np.float64)
    return exact @ exact.T  # numpy takes the symmetric product, so that the bits are symmetric too
