"""Weights as matrices whose rows are outputs, and back."""

from typing import Literal

from torch import Size, Tensor

Side = Literal["left", "right"]  # of a matrix, that of its outputs and that of its inputs


def as_matrix(weight: Tensor, transposed: bool = False) -> Tensor:
    """Return a weight as a matrix of shape (outputs, inputs), a view where that is possible.

    A convolution kernel (c_out, c_in, kh, kw) is flattened to (c_out, c_in*kh*kw).

    Args:
        weight: Tensor with two or more dimensions; the matrix is detached from it.
        transposed: True if the first dimension is the inputs, as in transposed convolutions
            (c_in, c_out, kh, kw); the first two dimensions are then swapped first.

    Raises:
        ValueError: If the weight has fewer than two dimensions.

    Example:
        >>> import torch
        >>> as_matrix(torch.zeros(8, 4, 3, 3)).shape
        torch.Size([8, 36])
    """
    if weight.ndim < 2:
        raise ValueError(
            f"a weight of shape {tuple(weight.shape)} is not a matrix; "
            "expected two or more dimensions"
        )
    outputs_first = weight.detach().transpose(0, 1) if transposed else weight.detach()
    return outputs_first.flatten(1)


def from_matrix(matrix: Tensor, shape: Size, transposed: bool = False) -> Tensor:
    """Return a matrix as a contiguous weight of a shape, the inverse of `as_matrix`."""
    if not transposed:
        return matrix.reshape(shape).contiguous()
    outputs_first = (shape[1], shape[0], *shape[2:])
    return matrix.reshape(outputs_first).transpose(0, 1).contiguous()
