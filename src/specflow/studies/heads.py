"""The table of what attention heads multiply; it is there only if a file has their spectra."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch

from specflow.spectra import QUANTITIES, is_defined

TABLE = "heads"
SPECTRA = "head_singular_values"
_QUANTITIES = ("effective_rank", "spectral_norm", "frobenius_norm")
COLUMNS = ("step", "pair", "head", *_QUANTITIES)


def quantities_of(spectra: np.ndarray) -> dict[str, np.ndarray]:
    """Return what the table says of a pair's heads, shape (T, heads), of spectra (T, heads, h)."""
    S = torch.from_numpy(spectra)
    return {name: _values(name, S) for name in _QUANTITIES}


def rows_of(steps: np.ndarray, pair: str, quantities: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Return the rows of a pair: one for each step and head, numbered from 0."""
    heads = next(iter(quantities.values())).shape[1]
    cells = {
        "step": np.repeat(steps, heads),
        "pair": pair,
        "head": np.tile(np.arange(heads), len(steps)),
    }
    return pd.DataFrame(cells | {name: values.ravel() for name, values in quantities.items()})


def _values(name: str, S: torch.Tensor) -> np.ndarray:
    defined = is_defined(S)
    found = torch.full(defined.shape, torch.nan, dtype=torch.float64)
    found[defined] = QUANTITIES[name].function(S[defined])
    return found.numpy()
