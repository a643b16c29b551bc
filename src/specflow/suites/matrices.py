"""Matrices in tensors of checkpoints made elsewhere: what is cut out, and how it lies there."""

import math
from dataclasses import dataclass

from torch import Tensor

from specflow.params.suites import Side
from specflow.spectra import as_matrix
from specflow.suites.errors import SuiteError


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


@dataclass(frozen=True)
class SuiteMatrix:
    """A matrix of shape (outputs, inputs) in a tensor of a checkpoint.

    Attributes:
        name: Unique, and an HDF5 path: the parameter without ".weight", then ":" and the part if
            it is one, "gpt_neox.layers.0.attention.query_key_value:q".
        label: Name that a person can read, "block 1 query".
        parameter: Name of the tensor in the file.
        shape: Shape of that tensor.
        cuts: What is cut out of it, one after the other.
        transposed: True if inputs come before outputs in what is left.
    """

    name: str
    label: str
    parameter: str
    shape: tuple[int, ...]
    cuts: tuple[Cut, ...] = ()
    transposed: bool = False

    @property
    def remaining(self) -> tuple[int, ...]:
        """Shape of what the cuts leave, as it lies in the file."""
        shape = self.shape
        for cut in self.cuts:
            shape = cut.shape_of(shape)
        return shape

    @property
    def rows(self) -> int:
        """Number of outputs."""
        return self._outputs_first[0]

    @property
    def columns(self) -> int:
        """Number of inputs, for a convolution times the positions of its kernel."""
        return math.prod(self._outputs_first[1:])

    @property
    def kernel(self) -> tuple[int, ...] | None:
        """Kernel size of a convolution, with 1 to 3 entries; None of any other matrix."""
        return self._outputs_first[2:] or None

    def length(self, side: Side) -> int:
        """Return the length of the singular vectors of a side."""
        return self.rows if side == "left" else self.columns

    def take(self, tensor: Tensor) -> Tensor:
        """Return the matrix, of shape (rows, columns).

        Args:
            tensor: The parameter as it lies in a file; not modified.

        Returns:
            Matrix in the dtype of the tensor, a view into it where its layout allows it.

        Raises:
            SuiteError: If the tensor has another shape than the matrix was declared for.
        """
        if tuple(tensor.shape) != self.shape:
            raise SuiteError(
                f"{self.parameter}: got shape {tuple(tensor.shape)}; expected {self.shape}"
            )
        for cut in self.cuts:
            tensor = cut.of(tensor)
        return as_matrix(tensor, self.transposed)

    def holds(self, other: "SuiteMatrix") -> bool:
        """Return whether another matrix is this one or a part of it."""
        start = other.cuts[: len(self.cuts)]
        return (other.parameter, start) == (self.parameter, self.cuts)

    def part(self, name: str, label: str, cut: Cut) -> "SuiteMatrix":
        """Return a part of this matrix, named after it."""
        separator = "." if self.cuts else ":"
        return SuiteMatrix(
            f"{self.name}{separator}{name}",
            label,
            self.parameter,
            self.shape,
            (*self.cuts, cut),
            self.transposed,
        )

    @property
    def _outputs_first(self) -> tuple[int, ...]:
        shape = self.remaining
        return (shape[1], shape[0], *shape[2:]) if self.transposed else shape
