"""Tables of runs beside those of their spectra: histories, and losses after pruning."""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from specflow import paths
from specflow.checkpoints.trajectory import open_trajectory
from specflow.hdf5 import open_file
from specflow.measure.layouts import PRUNING
from specflow.studies.measures import KEEPS, curves_in, read, stacked


def run_tables(seeds: Mapping[str, Sequence[int]]) -> dict[str, pd.DataFrame]:
    """Return the tables history and pruning.

    Pruning has no rows of the full model: these are its history.

    Args:
        seeds: Seeds of each experiment by its name, in the order of the rows.

    Raises:
        BrokenFileError: If a trajectory or a file of measures is missing or broken.
    """
    tables = {}
    for table, (columns, rows_of) in _TABLES.items():
        frames = (
            rows_of(name, seed).assign(experiment=name, seed=seed)
            for name, own in seeds.items()
            for seed in own
        )
        tables[table] = stacked(("experiment", "seed", "step", *columns), frames)
    return tables


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
