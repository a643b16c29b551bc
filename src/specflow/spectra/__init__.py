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
from specflow.spectra.changes import (
    change_effective_rank,
    change_norm,
    change_singular_values,
    step_change_effective_rank,
    step_change_norm,
)
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
from specflow.spectra.heads import product_singular_values
from specflow.spectra.permuted import permuted_effective_rank, permuted_singular_values
from specflow.spectra.power_law import (
    PowerLaw,
    fit_power_law,
    power_law_alpha,
    power_law_high,
    power_law_low,
    power_law_num_tail,
    power_law_of,
    power_law_p_value,
    power_law_xmin,
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
from specflow.spectra.random_matrix import (
    Noise,
    energy_above_noise,
    fit_noise,
    fraction_below_noise,
    marchenko_pastur_cdf,
    noise_distance,
    noise_lower_edge,
    noise_scale,
    noise_upper_edge,
    num_outliers,
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
    "Noise",
    "fit_noise",
    "marchenko_pastur_cdf",
    "noise_scale",
    "noise_lower_edge",
    "noise_upper_edge",
    "num_outliers",
    "energy_above_noise",
    "fraction_below_noise",
    "noise_distance",
    "permuted_singular_values",
    "permuted_effective_rank",
    "PowerLaw",
    "fit_power_law",
    "power_law_of",
    "power_law_alpha",
    "power_law_low",
    "power_law_high",
    "power_law_xmin",
    "power_law_num_tail",
    "power_law_p_value",
    "change_singular_values",
    "change_effective_rank",
    "change_norm",
    "step_change_effective_rank",
    "step_change_norm",
    "product_singular_values",
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
