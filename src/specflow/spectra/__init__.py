"""Spectra of weight matrices: decompositions, rank measures, agreement, alignment.

Pure functions: tensors in, float64 tensors out, on CPU or CUDA; inputs are never changed. Of the
rest of specflow they need `threads` alone. Definitions follow Yunis et al. 2024 (arXiv 2408.11804).
"""

from specflow.spectra.agreement import (
    agreement_null_level,
    diagonal_score,
    singular_vector_agreement,
)
from specflow.spectra.alignment import alignment, alignment_null_level
from specflow.spectra.decomposition import Decomposition, decompose, singular_values
from specflow.spectra.matrices import as_matrix
from specflow.spectra.ranks import (
    effective_rank,
    gini,
    mass_rank,
    normalized_effective_rank,
    stable_rank,
)
from specflow.spectra.side_by_side import decompose_all

__all__ = [
    "Decomposition",
    "decompose",
    "decompose_all",
    "singular_values",
    "effective_rank",
    "normalized_effective_rank",
    "stable_rank",
    "mass_rank",
    "gini",
    "singular_vector_agreement",
    "agreement_null_level",
    "alignment",
    "alignment_null_level",
    "diagonal_score",
    "as_matrix",
]
