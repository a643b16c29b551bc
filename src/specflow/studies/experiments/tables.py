"""Tables of experiments: their spectra, histories, and losses after pruning."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from specflow import paths
from specflow.checkpoints.trajectory import open_trajectory
from specflow.frames import Frames, at_end, where
from specflow.hdf5 import open_file
from specflow.measure.layouts import PRUNING
from specflow.studies.experiments.collected import Collected
from specflow.studies.measures import KEEPS, curves_in, read, stacked
from specflow.studies.spectra import Measured, spectra_tables
from specflow.studies.summary import Spread, metrics, of_spectra, spread

_FITTED = 0.01  # share of wrong answers under which a part counts as fitted


def tables(entries: Mapping[str, Collected]) -> dict[str, pd.DataFrame]:
    """Return the tables of spectra, history and pruning.

    Pruning has no rows of the full model: these are its history.

    Args:
        entries: Experiments by name, in the order of the rows.

    Raises:
        BrokenFileError: If a trajectory or a file of measures is missing or broken.
    """
    measured = [
        Measured(
            name=name,
            files={seed: paths.spectra(name, seed) for seed in own.seeds},
            matrices=own.matrices,
            pairs=own.pairs,
        )
        for name, own in entries.items()
    ]
    found = spectra_tables(measured)
    for table, (columns, rows_of) in _TABLES.items():
        frames = (
            rows_of(name, seed).assign(experiment=name, seed=seed)
            for name, own in entries.items()
            for seed in own.seeds
        )
        found[table] = stacked(("experiment", "seed", "step", *columns), frames)
    return found


def summary(tables: Frames, names: Sequence[str]) -> dict[str, Any]:
    """Return what the metrics file says of each experiment, over seeds, from the tables alone."""
    found = {}
    for name in names:
        history = where(tables["history"], experiment=name)
        found[name] = {
            **metrics(at_end(history), ["seed"]),
            **_first_fits(history),
            **of_spectra(tables, name, "seed", "seed"),
            "pruned": _pruned(at_end(where(tables["pruning"], experiment=name))),
        }
    return found


def _first_fits(history: pd.DataFrame) -> dict[str, Spread]:
    """Return the first kept step at which at most 1% of the answers are wrong."""
    errors, found = where(history, metric="error"), {}
    for split, rows in errors.groupby("split", sort=False):
        first = rows[rows["value"] <= _FITTED].groupby("seed")["step"].min()
        found[f"{split}/first_step_at_99_percent"] = spread(first.reindex(rows["seed"].unique()))
    return found


def _pruned(pruning: pd.DataFrame) -> dict[str, dict[str, Spread]]:
    return {
        f"{keep}_{fraction:g}": metrics(rows, ["seed"])
        for (keep, fraction), rows in pruning.groupby(["keep", "keep_fraction"], sort=False)
    }


def _history(experiment: str, seed: int) -> pd.DataFrame:
    with open_trajectory(paths.trajectory(experiment, seed)) as trajectory:
        frames = []
        for key, values in sorted(trajectory.metrics().items()):
            split, metric = key.split("/")
            curve = {"step": trajectory.steps, "split": split, "metric": metric, "value": values}
            frames.append(pd.DataFrame(curve))
    return pd.concat(frames)


def _pruning(experiment: str, seed: int) -> pd.DataFrame:
    with open_file(paths.pruning(experiment, seed), PRUNING) as file:
        steps, frames = read(file, "step"), []
        for curve in curves_in(file, KEEPS[1:]):
            keep, fraction, split, metric = curve
            about = {"keep": keep, "keep_fraction": float(fraction)}
            about |= {"split": split, "metric": metric}
            frames.append(
                pd.DataFrame({"step": steps, **about, "value": read(file, "/".join(curve))})
            )
    return pd.concat(frames)


_TABLES: dict[str, tuple[tuple[str, ...], Callable[[str, int], pd.DataFrame]]] = {
    "history": (("split", "metric", "value"), _history),
    "pruning": (("split", "keep", "keep_fraction", "metric", "value"), _pruning),
}
