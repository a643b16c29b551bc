"""What the metrics file says of entries: mean and std (ddof = 1) of what tables hold at the end.

A quantity is None where it is not defined for every unit (seed, path, matrix), or, of a std, where
there is one unit alone.
"""

import numpy as np
import pandas as pd

from specflow.frames import Frames, at_end, where
from specflow.spectra import QUANTITIES

_RANK = "normalized_effective_rank"

Spread = dict[str, float | None]


def metrics(
    table: pd.DataFrame, unit: list[str], column: str = "value", ending: str = ""
) -> dict[str, Spread]:
    """Return a column by `split/metric`, over units.

    Args:
        table: Has the columns split and metric.
        unit: Columns that say which unit a row is of.
        column: What is averaged.
        ending: What names end in.
    """
    return {
        f"{split}/{metric}{ending}": over(rows, column, unit)
        for (split, metric), rows in table.groupby(["split", "metric"], sort=False)
    }


def of_spectra(tables: Frames, name: str, of_matrices: str, of_pairs: str) -> dict[str, Spread]:
    """Return quantities at the end, agreement halfway and alignment.

    Args:
        tables: The tables, as they were written.
        name: Of the experiment or the checkpoints.
        of_matrices: The unit of what matrices have, a column of the table of spectra.
        of_pairs: The unit of what pairs have, a column of the table of alignment.
    """
    spectra = where(tables["spectra"], experiment=name)
    steps = spectra["step"]
    half = steps[steps <= (steps.min() + steps.max()) / 2].max()
    end, alignment = at_end(spectra), at_end(where(tables["alignment"], experiment=name))
    return {
        **{quantity: over(end, quantity, [of_matrices]) for quantity in QUANTITIES},
        f"{_RANK}_at_start": over(where(spectra, step=steps.min()), _RANK, [of_matrices]),
        "agreement_score_halfway": over(
            where(spectra, step=half), "agreement_score", [of_matrices]
        ),
        "alignment_score": over(alignment, "alignment_score", [of_pairs]),
    }


def over(table: pd.DataFrame, column: str, unit: list[str]) -> Spread:
    """Return mean and std over units of the mean of what is defined in a column of each."""
    defined = table[column].where(np.isfinite(table[column]))
    return spread(defined.groupby([table[name] for name in unit]).mean())


def spread(values: pd.Series) -> Spread:
    """Return mean and std of one value a unit."""
    if not len(values) or not np.isfinite(values).all():
        return {"mean": None, "std": None}
    return {
        "mean": rounded(values.mean()),
        "std": rounded(values.std()) if len(values) > 1 else None,
    }


def rounded(value: float, digits: int = 5) -> float:
    """Return a number with so many significant digits."""
    return float(f"{value:.{digits}g}")
