"""Tables of spectra, the same ones of runs and of checkpoints made elsewhere."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import combinations_with_replacement
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import pandas as pd

from specflow.frames import RANK, Frames, at_end, where
from specflow.hdf5 import open_file
from specflow.measure.layouts import SPECTRA, compared_steps, evenly
from specflow.spectra import QUANTITIES
from specflow.studies import heads
from specflow.studies.rows import KINDS, SpectraRows, rows_in
from specflow.studies.shown import Chosen
from specflow.studies.tables import Spread, over, read, stacked

MEAN = "mean of all"  # in place of a matrix

_MOST_STEPS_SQUARED = 12  # any two of which are compared


class Thinning(NamedTuple):
    """How much of what has steps and indices git tracks: the files of measures hold the rest.

    Attributes:
        steps: At most so many, evenly.
        first: All of so many first indices of a spectrum or a diagonal, and ...
        others: ... at most so many more, evenly on a log scale.
    """

    steps: int
    first: int
    others: int


FULL, SMALL = Thinning(40, 16, 8), Thinning(12, 6, 6)

_RUN = ("experiment", "seed")
_SCORES = ("agreement_score", "step_agreement_score")
_COLUMNS: dict[str, tuple[str, ...]] = {
    "steps": ("experiment", "step", "epoch"),
    "matrices": (
        *("experiment", "matrix", "label", "role", "depth", "rows", "columns", "null_agreement"),
    ),
    "pairs": ("experiment", "pair", "depth", "null_alignment"),
    "spectra": (*_RUN, "step", "matrix", *QUANTITIES, *_SCORES),
    "alignment": (*_RUN, "step", "pair", "alignment_score"),
    heads.TABLE: (*_RUN, *heads.COLUMNS),
    "singular_values": ("experiment", "matrix", "step", "index", "mean", "std", "first_seed"),
    "agreement_diagonal": ("experiment", "matrix", "step", "index", "mean"),
    "alignment_diagonal": ("experiment", "pair", "step", "index", "mean", "first_seed"),
    "pairwise_agreement": ("experiment", "matrix", "step", "other_step", "agreement_score"),
    "growth": (*_RUN, "matrix", "top_growth", "median_growth"),
    "settling": (*_RUN, "matrix", "step", "top_score", "next_score"),
}


@dataclass(frozen=True)
class Measured:
    """The spectra of an experiment, or of checkpoints made elsewhere.

    Attributes:
        name: What tables call it.
        files: File of the spectra of each seed.
        matrices: Matrices of which single singular values and diagonals go into tables, and of the
            first one the agreement of any two steps.
        pairs: Pairs whose diagonals go into tables.
        rows: Of each seed, if they are at hand; else they are read of its file.
    """

    name: str
    files: Mapping[int, Path]
    matrices: Chosen = field(default_factory=Chosen)
    pairs: Chosen = field(default_factory=Chosen)
    rows: Mapping[int, SpectraRows] = field(default_factory=dict)


def spectra_tables(all_measured: Sequence[Measured]) -> dict[str, pd.DataFrame]:
    """Return every table that is made of spectra, by name, rows in the order given.

    What has several indices or compares any two steps is thinned, see `Thinning`. Columns and
    tables of what is measured on demand are there only if a file has it.

    Raises:
        BrokenFileError: If a file is missing or broken.
    """
    frames = defaultdict(list)
    for measured in all_measured:
        runs = [measured.rows.get(seed) or rows_in(path) for seed, path in measured.files.items()]
        with ExitStack() as stack:
            files = [stack.enter_context(open_file(p, SPECTRA)) for p in measured.files.values()]
            for seed, run, file in zip(measured.files, runs, files, strict=True):
                for table, rows in run.frames(read(file, "step")):
                    frames[table].append(rows.assign(experiment=measured.name, seed=seed))
            for table, rows in _of_all(measured, runs, files):
                frames[table].append(rows.assign(experiment=measured.name))
    return {
        table: stacked(_present(columns, frames[table]), frames[table])
        for table, columns in _COLUMNS.items()
        if table != heads.TABLE or frames[table]
    }


def _present(columns: Sequence[str], rows: Sequence[pd.DataFrame]) -> list[str]:
    """Return columns, of what is measured on demand only those that some rows have."""
    return [c for c in columns if not is_on_demand(c) or any(c in one for one in rows)]


def is_on_demand(column: str) -> bool:
    """Return whether a column is a quantity that not every matrix has."""
    return column in QUANTITIES and QUANTITIES[column].family is not None


def _of_all(
    measured: Measured, runs: Sequence[SpectraRows], files: Sequence[h5py.File]
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the rows of all seeds together."""
    yield "steps", pd.DataFrame({name: read(files[0], name) for name in ("step", "epoch")})
    for kind, entries in runs[0].about.items():
        _, column, *about = _COLUMNS[kind]
        rows = [(name, *(entry[key] for key in about)) for name, entry in entries.items()]
        yield kind, pd.DataFrame(rows, columns=[column, *about])
    yield "singular_values", _over_seeds("matrices", measured.matrices, "singular_values", files)
    yield "agreement_diagonal", _over_seeds("matrices", measured.matrices, "agreement", files)
    yield "alignment_diagonal", _over_seeds("pairs", measured.pairs, "alignment", files)
    yield "pairwise_agreement", _pairwise(measured.matrices.full[:1], runs, files)


def _over_seeds(
    kind: str, chosen: Chosen, quantity: str, files: Sequence[h5py.File]
) -> pd.DataFrame:
    """Return a quantity that has steps and indices: mean and deviation over seeds, and one seed."""
    steps, column, frames = read(files[0], "step"), KINDS[kind], []
    thinned = [(name, FULL) for name in chosen.full] + [(name, SMALL) for name in chosen.small]
    for name, thinning in thinned:
        places = evenly(len(steps), thinning.steps)
        values = np.stack([read(file, f"{kind}/{name}/{quantity}")[places] for file in files])
        indices = shown_indices(values.shape[2], thinning)
        values = values[..., indices - 1].reshape(len(files), -1)
        cells = {
            column: name,
            "step": np.repeat(steps[places], len(indices)),
            "index": np.tile(indices, len(places)),
            "mean": values.mean(axis=0),
            "std": values.std(axis=0, ddof=1) if len(files) > 1 else np.nan,
            "first_seed": values[0],
        }
        frames.append(pd.DataFrame(cells))
    return stacked((column, "step", "index", "mean", "std", "first_seed"), frames)


def shown_indices(count: int, thinning: Thinning = FULL) -> np.ndarray:
    """Return which of `count` entries go into a table, numbered from 1, ascending."""
    first = np.arange(1, min(count, thinning.first) + 1)
    others = np.geomspace(thinning.first, max(count, thinning.first), thinning.others + 1)
    indices = np.union1d(first, np.rint(others).astype(int))
    return indices[indices <= count]


def _pairwise(
    names: Sequence[str], runs: Sequence[SpectraRows], files: Sequence[h5py.File]
) -> pd.DataFrame:
    """Return every two steps once, of some matrices, then means over all."""
    steps = read(files[0], "step")
    compared = steps[compared_steps(len(steps))]
    shown = evenly(len(compared), _MOST_STEPS_SQUARED)
    first, second = np.array(list(combinations_with_replacement(shown, 2))).T
    scores = {
        name: np.mean([read(file, f"matrices/{name}/pairwise_agreement") for file in files], axis=0)
        for name in names
    }
    if scores:
        scores[MEAN] = np.mean([run.mean_agreement() for run in runs], axis=0)
    pairs = pd.DataFrame({"step": compared[first], "other_step": compared[second]})
    frames = (
        pairs.assign(matrix=name, agreement_score=values[first, second])
        for name, values in scores.items()
    )
    return stacked(_COLUMNS["pairwise_agreement"][1:], frames)


def spectra_summary(
    tables: Frames, name: str, of_matrices: str, of_pairs: str
) -> dict[str, Spread]:
    """Return quantities at the end, agreement halfway and alignment, as the metrics file has them.

    Args:
        tables: The tables, as they were written.
        name: Of the experiment or the checkpoints.
        of_matrices: The unit of what matrices have, a column of the table of spectra.
        of_pairs: The unit of what pairs have, a column of the table of alignment.
    """
    spectra, unit = where(tables["spectra"], experiment=name), [of_matrices]
    steps = spectra["step"]
    half = steps[steps <= (steps.min() + steps.max()) / 2].max()
    start, middle, end = (
        where(spectra, step=steps.min()),
        where(spectra, step=half),
        at_end(spectra),
    )
    alignment = at_end(where(tables["alignment"], experiment=name))
    return {
        **{name: over(end, name, unit) for name in QUANTITIES if _is_measured(name, end)},
        f"{RANK}_at_start": over(start, RANK, unit),
        "agreement_score_halfway": over(middle, "agreement_score", unit),
        "alignment_score": over(alignment, "alignment_score", [of_pairs]),
    }


def _is_measured(name: str, spectra: pd.DataFrame) -> bool:
    return not is_on_demand(name) or (name in spectra and bool(spectra[name].notna().any()))
