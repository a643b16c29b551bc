"""SVD pruning: a weight with only the top, or only the bottom, of its spectrum kept."""

import math
from typing import Literal

import torch
from torch import Tensor

from specflow.matrices import as_matrix, from_matrix
from specflow.spectra.decomposition import smaller_side
from specflow.spectra.large import is_large, product

Keep = Literal["top", "bottom"]

# Products of fractions round: 0.55 * 100 is a little more than 55, and means 55.
_ROUNDING = 1e-9


class SpectrumPruner:
    """A weight, decomposed once, to be pruned at any number of fractions.

    W V_k V_k^T is the part of W in its first k singular directions, and W minus it the rest, so
    that only the singular vectors of the smaller side are computed (Yunis et al. 2024, arXiv
    2408.11804, section on pruning). Later changes of the weight do not count.

    Attributes:
        side: The decomposition, to be shared with what else needs one of this weight.
    """

    def __init__(self, weight: Tensor, transposed: bool = False) -> None:
        """Decompose a weight.

        Args:
            weight: Matrix or kernel, finite; not modified.
            transposed: As for `as_matrix`.

        Raises:
            ValueError: If the weight is no finite matrix.
        """
        matrix = as_matrix(weight, transposed)
        self.side = smaller_side(matrix)
        # CUDA may round float32 products to ten bits (TF32).
        is_double = weight.is_cuda or weight.dtype == torch.float64
        self._matrix = matrix.to(torch.float64 if is_double else torch.float32, copy=True)
        self._shape, self._dtype, self._transposed = weight.shape, weight.dtype, transposed
        self._split: tuple[int, Tensor] | None = None

    def keep(self, keep_fraction: float, keep: Keep) -> Tensor:
        """Return the weight with a part of its R singular directions kept, the others set to 0.

        Args:
            keep_fraction: Fraction f of the directions to keep, in [0, 1].
            keep: "top" keeps the first ceil(f R) directions, "bottom" the last floor(f R), so
                that the two at 0.5 add up to the weight.

        Returns:
            New tensor with the shape, dtype and device of the weight.

        Raises:
            ValueError: If keep_fraction is not in [0, 1], or keep is unknown.
        """
        if not 0 <= keep_fraction <= 1:
            raise ValueError(f"keep_fraction is {keep_fraction}; expected a number in [0, 1]")
        R = min(self._matrix.shape)
        if keep == "top":
            pruned = self._leading(math.ceil(keep_fraction * R - _ROUNDING)).clone()
        elif keep == "bottom":
            dropped = R - math.floor(keep_fraction * R + _ROUNDING)
            pruned = self._matrix - self._leading(dropped)
        else:
            raise ValueError(f"keep is {keep!r}; expected 'top' or 'bottom'")
        return from_matrix(pruned.to(self._dtype), self._shape, self._transposed)

    def _leading(self, count: int) -> Tensor:
        """Return the part of the matrix in its first directions; top and bottom share the last."""
        if count == min(self._matrix.shape):
            return self._matrix
        if self._split is None or self._split[0] != count:
            multiply = product if is_large(self._matrix) else torch.matmul
            leading = self.side.vectors[:, :count]
            projector = multiply(leading, leading.mT).to(self._matrix.dtype)
            is_wide = self._matrix.shape[0] <= self._matrix.shape[1]
            sides = (projector, self._matrix) if is_wide else (self._matrix, projector)
            self._split = count, multiply(*sides)
        return self._split[1]
