"""Rows of the tables about runs: histories, spectra, alignment, pruning."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from specflow import paths
from specflow.hdf5 import open_file
from specflow.layouts import PRUNING, SPECTRA
from specflow.params.resolve import Collected, CollectParams
from specflow.tables.baselines import is_baseline
from specflow.tables.writing import Cell, write_table
from specflow.trajectory import open_trajectory

Row = tuple[Cell, ...]

MEASURES = (
    "effective_rank",
    "normalized_effective_rank",
    "mass_rank",
    "stable_rank",
    "gini",
    "frobenius_norm",
    "agreement_score",
)
KEEPS = ("full", "top", "bottom")
_RUN = ("experiment", "seed", "step", "epoch")
_DIAGONAL = ("step", "epoch", "index", "mean")


def write_run_tables(folder: Path, params: CollectParams) -> None:
    """Write every table about runs.

    Args:
        folder: Where to.
        params: Experiments, seeds, and which matrices and pairs are shown in full.
    """
    runs = [(name, seed) for name, entry in params.experiments.items() for seed in entry.seeds]
    each_run: dict[str, tuple[tuple[str, ...], Callable[[str, int], Iterator[Row]]]] = {
        "history": (("split", "metric", "value"), _history),
        "spectra": (("matrix", *MEASURES), _spectra),
        "alignment": (("pair", "alignment_score"), _alignment),
        "pruning": (("split", "keep", "keep_fraction", "metric", "value"), _pruning),
    }
    for name, (columns, rows_of_run) in each_run.items():
        rows = (row for run in runs for row in rows_of_run(*run))
        write_table(folder / f"{name}.csv", (*_RUN, *columns), rows)
    each_experiment: dict[str, tuple[tuple[str, ...], Callable[[str, Collected], Iterator[Row]]]]
    each_experiment = {
        "matrices": (("matrix", "label", "depth", "rows", "columns", "null_agreement"), _matrices),
        "pairs": (("pair", "depth", "null_alignment"), _pairs),
        "singular_values": (
            ("matrix", *_DIAGONAL, "std"),
            _full("matrices", "singular_values", _mean_and_std),
        ),
        "agreement_diagonal": (("matrix", *_DIAGONAL), _full("matrices", "agreement", _mean)),
        "alignment_diagonal": (("pair", *_DIAGONAL), _full("pairs", "alignment", _mean)),
    }
    entries = params.experiments.items()
    for name, (columns, rows_of) in each_experiment.items():
        rows = ((key, *row) for key, entry in entries for row in rows_of(key, entry))
        write_table(folder / f"{name}.csv", ("experiment", *columns), rows)


def _history(experiment: str, seed: int) -> Iterator[Row]:
    with open_trajectory(paths.trajectory(experiment, seed)) as trajectory:
        for key, values in sorted(trajectory.metrics().items()):
            for step, epoch, value in zip(
                trajectory.steps, trajectory.epochs, values.tolist(), strict=True
            ):
                yield (experiment, seed, step, epoch, *key.split("/"), value)


def times_of(file: h5py.File) -> list[tuple[int, float]]:
    """Return step and epoch of every kept step of a file of measures."""
    return list(zip(file["step"][:].tolist(), file["epoch"][:].tolist(), strict=True))


def _spectra(experiment: str, seed: int) -> Iterator[Row]:
    with open_file(paths.spectra(experiment, seed), SPECTRA) as file:
        times = times_of(file)
        for matrix in by_depth(file["matrices"]):
            values = [file["matrices"][matrix][measure][:].tolist() for measure in MEASURES]
            for time, row in zip(times, zip(*values, strict=True), strict=True):
                yield (experiment, seed, *time, matrix, *row)


def _alignment(experiment: str, seed: int) -> Iterator[Row]:
    with open_file(paths.spectra(experiment, seed), SPECTRA) as file:
        times = times_of(file)
        for pair in by_depth(file["pairs"]):
            scores = file["pairs"][pair]["alignment_score"][:].tolist()
            for time, score in zip(times, scores, strict=True):
                yield (experiment, seed, *time, pair, score)


def _pruning(experiment: str, seed: int) -> Iterator[Row]:
    with open_file(paths.pruning(experiment, seed), PRUNING) as file:
        times = times_of(file)
        for keep, fraction, split, metric in curves_in(file, KEEPS):
            values = file[keep][fraction][split][metric][:].tolist()
            for time, value in zip(times, values, strict=True):
                yield (experiment, seed, *time, split, keep, float(fraction), metric, value)


def curves_in(group: h5py.Group, keeps: Iterable[str]) -> list[tuple[str, str, str, str]]:
    """Return (keep, keep_fraction, split, metric) of every curve of a group but baselines.

    Args:
        group: Holds /<keep>/<keep_fraction>/<split>/<metric>.
        keeps: The variants, in the order wanted.

    Returns:
        Names of groups and datasets.
    """
    return [
        (keep, fraction, split, metric)
        for keep in keeps
        for fraction in group[keep]
        for split in group[keep][fraction]
        for metric in group[keep][fraction][split]
        if not is_baseline(metric)
    ]


def by_depth(group: h5py.Group) -> list[str]:
    """Return the names in a group, from the input of the network to its output."""
    return sorted(group, key=lambda name: group[name].attrs["depth"])


def _matrices(experiment: str, entry: Collected) -> Iterator[Row]:
    with open_file(paths.spectra(experiment, entry.seeds[0]), SPECTRA) as file:
        for matrix in by_depth(file["matrices"]):
            about = file["matrices"][matrix].attrs
            sizes = (int(about["depth"]), int(about["rows"]), int(about["columns"]))
            yield (matrix, about["label"], *sizes, float(about["null_agreement"]))


def _pairs(experiment: str, entry: Collected) -> Iterator[Row]:
    with open_file(paths.spectra(experiment, entry.seeds[0]), SPECTRA) as file:
        for pair in by_depth(file["pairs"]):
            about = file["pairs"][pair].attrs
            yield (pair, int(about["depth"]), float(about["null_alignment"]))


def _full(
    group: str, quantity: str, over_seeds: Callable[[np.ndarray], np.ndarray]
) -> Callable[[str, Collected], Iterator[Row]]:
    """Return a function that yields what remains over seeds of every entry of a quantity."""

    def rows(experiment: str, entry: Collected) -> Iterator[Row]:
        for name in getattr(entry, group):
            times, values = _over_seeds(experiment, entry.seeds, f"{group}/{name}/{quantity}")
            for time, entries in zip(times, over_seeds(values).tolist(), strict=True):
                for index, cells in enumerate(entries, start=1):
                    yield (name, *time, index, *cells)

    return rows


def _mean(values: np.ndarray) -> np.ndarray:
    return values.mean(axis=0)[..., None]


def _mean_and_std(values: np.ndarray) -> np.ndarray:
    return np.stack([values.mean(axis=0), values.std(axis=0)], axis=-1)


def _over_seeds(experiment: str, seeds: Iterable[int], name: str) -> tuple[Any, np.ndarray]:
    """Return the times, and a quantity of all seeds, shape (seeds, T, entries)."""
    values = []
    for seed in seeds:
        with open_file(paths.spectra(experiment, seed), SPECTRA) as file:
            times = times_of(file)
            values.append(file[name][:])
    return times, np.stack(values)
