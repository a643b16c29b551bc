"""Taking the matrices that a wiring speaks of out of a network's weights."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from specflow.models.wiring import View, Wiring
from specflow.spectra import as_matrix


def to_tensors(arrays: Mapping[str, np.ndarray], device: torch.device) -> dict[str, Tensor]:
    """Return arrays as tensors on a device."""
    return {name: torch.from_numpy(np.asarray(a)).to(device) for name, a in arrays.items()}


def matrix_of(view: View, weights: Mapping[str, Tensor]) -> Tensor:
    """Return the matrix that a view shows, of shape (outputs, inputs).

    Args:
        view: The view.
        weights: Parameters by name.

    Returns:
        A view into the parameter where its layout allows it.
    """
    matrix = as_matrix(weights[view.parameter], view.transposed)
    rows = view.rows.slice_of(matrix.shape[0]) if view.rows else slice(None)
    columns = view.columns.slice_of(matrix.shape[1]) if view.columns else slice(None)
    return matrix[rows, columns]


def kernel_of(view: View, weights: Mapping[str, Tensor]) -> tuple[int, int] | None:
    """Return the kernel size of a convolution, None for any other parameter."""
    shape = weights[view.parameter].shape
    return (shape[2], shape[3]) if len(shape) == 4 else None


def views_of(wiring: Wiring) -> list[View]:
    """Return every view of a wiring once: the tracked matrices and what pairs compare."""
    met = [
        view
        for pair in wiring.pairs
        for meeting in pair.meetings
        for view in (meeting.previous, meeting.following)
    ]
    return list(dict.fromkeys([matrix.view for matrix in wiring.matrices] + met))
