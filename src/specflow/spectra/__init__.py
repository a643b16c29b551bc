"""Spectra of weight matrices: decompositions, quantities, agreement, alignment.

Pure functions: tensors in, float64 tensors out, on CPU or CUDA; inputs are never changed. Of the
rest of specflow they need `matrices` and `threads` alone. Definitions follow Yunis et al. 2024,
https://arxiv.org/abs/2408.11804.
"""

from specflow.matrices import as_matrix
from specflow.spectra.agreement import (
    agreement_null_level,
    diagonal_score,
    singular_vector_agreement,
)
from specflow.spectra.alignment import alignment, alignment_null_level
from specflow.spectra.decomposition import (
    Decomposition,
    decompose,
    is_defined,
    is_direction,
    singular_values,
    where_defined,
)
from specflow.spectra.difference import (
    Difference,
    difference,
    numerical_rank,
    rounding_level,
    subspace_overlap,
)
from specflow.spectra.quantities import (
    QUANTITIES,
    Quantity,
    effective_rank,
    frobenius_norm,
    gini,
    log_norm,
    log_spectral_norm,
    mass_rank,
    normalized_effective_rank,
    quantity,
    spectral_norm,
    stable_rank,
)
from specflow.spectra.side_by_side import decompose_all

__all__ = [
    "Decomposition",
    "decompose",
    "decompose_all",
    "singular_values",
    "QUANTITIES",
    "Quantity",
    "quantity",
    "effective_rank",
    "normalized_effective_rank",
    "mass_rank",
    "stable_rank",
    "gini",
    "frobenius_norm",
    "spectral_norm",
    "log_norm",
    "log_spectral_norm",
    "is_defined",
    "is_direction",
    "where_defined",
    "singular_vector_agreement",
    "agreement_null_level",
    "alignment",
    "alignment_null_level",
    "diagonal_score",
    "Difference",
    "difference",
    "subspace_overlap",
    "numerical_rank",
    "rounding_level",
    "as_matrix",
]
