"""Views: a tensor, or a part of one, looked at as a matrix whose rows are outputs."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from specflow.matrices import Side, as_matrix


@dataclass(frozen=True)
class Cut:
    """A part of one dimension of a tensor.

    The dimension is seen as `groups` runs of `total` equal units each; the units from `start` to
    `stop` of every run are taken and joined. With `dropped`, the one entry taken loses the
    dimension.
    """

    axis: int
    start: int
    stop: int
    total: int
    groups: int = 1
    dropped: bool = False

    def shape_of(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape that a tensor of this shape has after the cut.

        Raises:
            ValueError: If the dimension does not exist or cannot be cut so.
        """
        if self.axis >= len(shape):
            raise ValueError(f"shape {shape} has no dimension {self.axis}")
        length, units = shape[self.axis], self.groups * self.total
        if length % units:
            raise ValueError(f"dimension {self.axis} of shape {shape} is no multiple of {units}")
        taken = () if self.dropped else (length // self.total * (self.stop - self.start),)
        return (*shape[: self.axis], *taken, *shape[self.axis + 1 :])

    def of(self, tensor: Tensor) -> Tensor:
        """Return the part of a tensor; a view where its layout allows it."""
        shape = self.shape_of(tuple(tensor.shape))
        units = tensor.unflatten(self.axis, (self.groups, self.total, -1))
        return units.narrow(self.axis + 1, self.start, self.stop - self.start).reshape(shape)

    def __str__(self) -> str:
        return f"[{self.axis}: {self.start}-{self.stop} of {self.groups} x {self.total}]"


@dataclass(frozen=True)
class Joined:
    """Two dimensions of a tensor that follow each other, seen as one: heads, and those of each."""

    axis: int

    def shape_of(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape that a tensor of this shape has after the two are joined."""
        before, joined, after = shape[: self.axis], shape[self.axis :][:2], shape[self.axis + 2 :]
        return (*before, math.prod(joined), *after)

    def of(self, tensor: Tensor) -> Tensor:
        """Return a tensor with the two dimensions joined."""
        return tensor.flatten(self.axis, self.axis + 1)

    def __str__(self) -> str:
        return f"[{self.axis} with {self.axis + 1}]"


@dataclass(frozen=True)
class View:
    """A tensor, or what cuts leave of it, as a matrix of shape (outputs, inputs).

    Attributes:
        tensor: Name of the tensor: a parameter in a state dict, or an entry of a file.
        shape: Shape of that tensor.
        cuts: What is cut out of it, or joined in it, one after the other.
        transposed: True if inputs come before outputs in what is left (transposed convolutions).
        groups: Of a convolution: as many blocks lie on the diagonal of its matrix, all else is 0.
    """

    tensor: str
    shape: tuple[int, ...]
    cuts: tuple[Cut | Joined, ...] = ()
    transposed: bool = False
    groups: int = 1

    @property
    def remaining(self) -> tuple[int, ...]:
        """Shape of what the cuts leave, as it lies in the tensor."""
        shape = self.shape
        for cut in self.cuts:
            shape = cut.shape_of(shape)
        return shape

    @property
    def rows(self) -> int:
        """Number of outputs."""
        return self._outputs_first[0] * (self.groups if self.transposed else 1)

    @property
    def columns(self) -> int:
        """Number of inputs, for a convolution times the positions of its kernel."""
        return math.prod(self._outputs_first[1:]) * (1 if self.transposed else self.groups)

    @property
    def kernel(self) -> tuple[int, ...] | None:
        """Kernel size of a convolution, with 1 to 3 entries; None of any other matrix."""
        return self._outputs_first[2:] or None

    def length(self, side: Side) -> int:
        """Return the length of the singular vectors of a side."""
        return self.rows if side == "left" else self.columns

    def of(self, tensor: Tensor) -> Tensor:
        """Return the matrix (rows, columns) of a whole tensor, a view where its layout allows it.

        With groups only the blocks, one below the other: (rows, columns / groups).

        Raises:
            ValueError: If the tensor has another shape than the view was declared for.
        """
        if tuple(tensor.shape) != self.shape:
            raise ValueError(
                f"{self.tensor}: got shape {tuple(tensor.shape)}; expected {self.shape}"
            )
        for cut in self.cuts:
            tensor = cut.of(tensor)
        if self.transposed and self.groups > 1:
            return torch.cat([as_matrix(one, transposed=True) for one in tensor.chunk(self.groups)])
        return as_matrix(tensor, self.transposed)

    def cut(self, cut: Cut | Joined) -> "View":
        """Return the view of a part of this one, along a dimension as it lies in the tensor."""
        return replace(self, cuts=(*self.cuts, cut))

    def cut_rows(self, start: int, stop: int, total: int) -> "View":
        """Return the outputs from unit `start` to `stop` of `total` equal ones (a gate, a head)."""
        return self.cut(Cut(1 if self.transposed else 0, start, stop, total))

    def holds(self, other: "View") -> bool:
        """Return whether another view is this one or a part of it."""
        return (other.tensor, other.cuts[: len(self.cuts)]) == (self.tensor, self.cuts)

    @property
    def _outputs_first(self) -> tuple[int, ...]:
        shape = self.remaining
        return (shape[1], shape[0], *shape[2:]) if self.transposed else shape

    def __str__(self) -> str:
        return "".join([self.tensor, *map(str, self.cuts)])
