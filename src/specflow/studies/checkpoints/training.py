"""Tables of what a watched training has beside whole spectra: leading values, and what was given.

They are of more steps than the tables of spectra; of very many steps some, evenly. The leading
values themselves are of the matrix in the middle of the network.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from specflow.hdf5 import open_file
from specflow.measure.layouts import GIVEN, LEADING, SPECTRA, evenly
from specflow.studies.shown import ShownParams
from specflow.studies.tables import entries_of, read, stacked

SCORES = (
    *("spectral_norm", "frobenius_norm", "stable_rank"),
    *("start_agreement_score", "step_agreement_score"),
)
_MOST = 400  # steps
_COLUMNS = {
    "given": ("experiment", "step", "metric", "value"),
    "leading": ("experiment", "step", "matrix", *SCORES),
    "leading_values": ("experiment", "matrix", "step", "index", "singular_value"),
    "leading_alignment": ("experiment", "step", "pair", "alignment_score"),
}


def training_tables(name: str, spectra: Path, leading: Path | None) -> dict[str, pd.DataFrame]:
    """Return the tables that a watched training has more than checkpoints have; there may be none.

    Args:
        name: What tables call it.
        spectra: Its file of spectra.
        leading: Its file of leading values, if there is one.

    Raises:
        BrokenFileError: If a file is missing or broken.
    """
    frames: dict[str, list[pd.DataFrame]] = {"given": []}
    with open_file(spectra, SPECTRA) as file:
        frames["given"].append(_given_in(file))
    if leading is not None:
        with open_file(leading, LEADING) as file:
            frames["given"].append(_given_in(file))
            frames |= {table: [pd.concat(rows)] for table, rows in _leading_in(file) if rows}
    found = {table: stacked(_COLUMNS[table][1:], own) for table, own in frames.items()}
    given = found["given"].drop_duplicates(["step", "metric"])
    found["given"] = given.sort_values(["metric", "step"], ignore_index=True)
    found = {table: rows for table, rows in found.items() if len(rows)}
    for rows in found.values():
        rows.insert(0, "experiment", name)
    return found


def _given_in(file: h5py.File) -> pd.DataFrame:
    """Return what was given of the steps of a file: numbers by name."""
    if GIVEN not in file:
        return pd.DataFrame()
    steps, values = read(file, "step"), read(file, GIVEN)
    names = json.loads(file[GIVEN].attrs["names"])
    cells = {
        "step": np.repeat(steps, len(names)),
        "metric": np.tile(np.array(names, dtype=object), len(steps)),
        "value": values.reshape(-1),
    }
    return pd.DataFrame(cells).dropna()


def _leading_in(file: h5py.File) -> Iterator[tuple[str, list[pd.DataFrame]]]:
    steps = read(file, "step")
    places = evenly(len(steps), _MOST)
    matrices, pairs = (entries_of(file, kind) for kind in ("matrices", "pairs"))
    of_matrices = {name: _arrays(group, places, SCORES) for name, group in matrices.items()}
    cells = {"step": steps[places]}
    yield "leading", [pd.DataFrame({**cells, "matrix": n, **a}) for n, a in of_matrices.items()]
    shown = ShownParams().chosen("", "matrix", list(matrices)).full[:1]
    yield "leading_values", [_values(name, matrices[name], steps, places) for name in shown]
    of_pairs = {name: _arrays(one, places, ["alignment_score"]) for name, one in pairs.items()}
    yield (
        "leading_alignment",
        [pd.DataFrame({**cells, "pair": n, **a}) for n, a in of_pairs.items()],
    )


def _arrays(group: h5py.Group, places: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
    return {name: read(group, name)[places] for name in names}


def _values(name: str, group: h5py.Group, steps: np.ndarray, places: np.ndarray) -> pd.DataFrame:
    values = read(group, "singular_values")[places]
    count = values.shape[1]
    cells = {
        "matrix": name,
        "step": np.repeat(steps[places], count),
        "index": np.tile(np.arange(1, count + 1), len(places)),
        "singular_value": values.reshape(-1),
    }
    return pd.DataFrame(cells)
