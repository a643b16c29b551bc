"""The metrics file: final quantities of everything that was collected, mean and std, for DVC."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from specflow.frames import Tables, at_end, where
from specflow.spectra import QUANTITIES

_FITTED = 0.01  # share of wrong answers under which a part counts as fitted
_RANK = "normalized_effective_rank"
_GROUPS = {  # of paths, by the relation of their endpoints
    "within": "split_{split_step}",
    "across": "across_split_{split_step}",
    "perturbed": "perturbed_{scale:g}",
}

Spread = dict[str, float | None]


def summarize(
    tables: Mapping[str, pd.DataFrame] | Tables, checkpoints: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the metrics file's content, computed from the tables alone.

    Args:
        tables: The tables, as they were written.
        checkpoints: Which names are of checkpoints made elsewhere; all others are experiments.

    Returns:
        Nested by experiments, connections, tickets or checkpoints, name, quantity, then mean and
        std (ddof = 1): of experiments and tickets over seeds, of connections over paths, of
        checkpoints over matrices or pairs. None where a quantity is not defined for all of these,
        or, of a std, where there is one of them alone.
    """
    history, matrices = tables["history"], tables["matrices"]
    return {
        "experiments": {
            name: {
                **_metrics(at_end(rows), ["seed"]),
                **_first_fits(rows),
                **_spectra(tables, name, "seed", "seed"),
                "pruned": _pruned(at_end(where(tables["pruning"], experiment=name))),
            }
            for name, rows in history.groupby("experiment", sort=False)
        },
        "connections": {
            name: _connection(
                where(tables["barriers"], connection=name, keep="full"),
                where(tables["endpoint_agreement"], connection=name),
            )
            for name in tables["connections"]["connection"]
        },
        "tickets": {
            name: _ticket(tables, name, where(matrices, experiment=experiment))
            for name, experiment in tables["tickets"][["ticket", "experiment"]].itertuples(
                index=False
            )
        },
        "checkpoints": {
            name: {
                "flagged_steps": _spread(_flagged(where(tables["audit"], experiment=name))),
                **_spectra(tables, name, "matrix", "pair"),
            }
            for name in checkpoints
        },
    }


def _metrics(
    table: pd.DataFrame, unit: list[str], column: str = "value", ending: str = ""
) -> dict[str, Spread]:
    return {
        f"{split}/{metric}{ending}": _over(rows, column, unit)
        for (split, metric), rows in table.groupby(["split", "metric"], sort=False)
    }


def _first_fits(history: pd.DataFrame) -> dict[str, Spread]:
    """Return the first kept step at which at most 1% of the answers are wrong."""
    errors, found = where(history, metric="error"), {}
    for split, rows in errors.groupby("split", sort=False):
        first = rows[rows["value"] <= _FITTED].groupby("seed")["step"].min()
        found[f"{split}/first_step_at_99_percent"] = _spread(first.reindex(rows["seed"].unique()))
    return found


def _spectra(
    tables: Mapping[str, pd.DataFrame] | Tables, name: str, of_matrices: str, of_pairs: str
) -> dict[str, Spread]:
    spectra = where(tables["spectra"], experiment=name)
    steps = spectra["step"]
    half = steps[steps <= (steps.min() + steps.max()) / 2].max()
    end, alignment = at_end(spectra), at_end(where(tables["alignment"], experiment=name))
    return {
        **{quantity: _over(end, quantity, [of_matrices]) for quantity in QUANTITIES},
        f"{_RANK}_at_start": _over(where(spectra, step=steps.min()), _RANK, [of_matrices]),
        "agreement_score_halfway": _over(
            where(spectra, step=half), "agreement_score", [of_matrices]
        ),
        "alignment_score": _over(alignment, "alignment_score", [of_pairs]),
    }


def _pruned(pruning: pd.DataFrame) -> dict[str, dict[str, Spread]]:
    return {
        f"{keep}_{fraction:g}": _metrics(rows, ["seed"])
        for (keep, fraction), rows in pruning.groupby(["keep", "keep_fraction"], sort=False)
    }


def _connection(barriers: pd.DataFrame, agreement: pd.DataFrame) -> dict[str, dict[str, Spread]]:
    columns, unit, found = ["relation", "split_step", "scale"], ["trunks", "branches"], {}
    for key, rows in barriers.groupby(columns, sort=False):
        group = dict(zip(columns, key, strict=True))
        found[_GROUPS[group["relation"]].format(**group)] = {
            **_metrics(rows, unit, "barrier", "_barrier"),
            "agreement_score": _over(where(agreement, **group), "agreement_score", unit),
        }
    return found


def _ticket(
    tables: Mapping[str, pd.DataFrame] | Tables, name: str, matrices: pd.DataFrame
) -> dict[str, Spread]:
    masks = where(tables["ticket_masks"], ticket=name)
    sizes = masks["matrix"].map(
        (matrices["rows"] * matrices["columns"]).set_axis(matrices["matrix"])
    )
    kept = (masks["density"] * sizes).groupby(masks["seed"]).sum()
    density = kept / sizes.groupby(masks["seed"]).sum()
    return {
        **_metrics(at_end(where(tables["ticket_history"], ticket=name)), ["seed"]),
        # the table has five digits, so that seeds differ in the fifth
        "density": _spread(density.map(lambda share: _rounded(share, 4))),
        "masked_agreement_score": _over(masks, "masked_agreement_score", ["seed"]),
        "agreement_score": _over(
            at_end(where(tables["ticket_spectra"], ticket=name)), "agreement_score", ["seed"]
        ),
    }


def _flagged(flags: pd.DataFrame) -> pd.Series:
    return pd.Series([float(flags["step"].nunique())])


def _over(table: pd.DataFrame, column: str, unit: list[str]) -> Spread:
    """Return mean and std over units of the mean of what is defined in a column of each."""
    defined = table[column].where(np.isfinite(table[column]))
    return _spread(defined.groupby([table[name] for name in unit]).mean())


def _spread(values: pd.Series) -> Spread:
    if not len(values) or not np.isfinite(values).all():
        return {"mean": None, "std": None}
    return {
        "mean": _rounded(values.mean()),
        "std": _rounded(values.std()) if len(values) > 1 else None,
    }


def _rounded(value: float, digits: int = 5) -> float:
    return float(f"{value:.{digits}g}")
