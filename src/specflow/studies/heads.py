"""The table of what attention heads multiply; it is there only if a file has their spectra."""

from collections.abc import Iterator, Mapping

import h5py
import numpy as np
import pandas as pd
import torch

from specflow.spectra import QUANTITIES, is_defined
from specflow.studies.tables import read

TABLE = "heads"
_QUANTITIES = ("effective_rank", "spectral_norm", "frobenius_norm")
COLUMNS = ("step", "pair", "head", *_QUANTITIES)
_SPECTRA = "head_singular_values"


def rows_of(steps: np.ndarray, pairs: Mapping[str, h5py.Group]) -> Iterator[pd.DataFrame]:
    """Yield the rows of each pair: one for each step and head, numbered from 0."""
    for pair, entry in pairs.items():
        if _SPECTRA in entry:
            S = torch.from_numpy(read(entry, _SPECTRA))
            cells = {
                "step": np.repeat(steps, S.shape[1]),
                "pair": pair,
                "head": np.tile(np.arange(S.shape[1]), len(steps)),
            }
            own = {name: _values(name, S.flatten(0, 1)) for name in _QUANTITIES}
            yield pd.DataFrame(cells | own)


def _values(name: str, S: torch.Tensor) -> np.ndarray:
    defined = is_defined(S)
    found = torch.full(defined.shape, torch.nan, dtype=torch.float64)
    found[defined] = QUANTITIES[name].function(S[defined])
    return found.numpy()
