"""Rows of the tables about suites: matrices, spectra, alignment, changes, and the audit's flags."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations_with_replacement
from pathlib import Path

import h5py
import numpy as np

from specflow.hdf5 import open_file
from specflow.params.figures import chosen_suite_matrix
from specflow.suite_results import MEASURES, SUITE, Audit, read_audit
from specflow.tables.runs import Row
from specflow.tables.writing import write_table

_FIRST_INDICES = 32  # of a spectrum: all of these are in the table, and ...
_OTHER_INDICES = 96  # ... at most so many more, evenly on a log scale

_MOST_STEPS = 200  # any two of which are compared in the table

MEAN = "mean of all"  # in place of a matrix

_MATRIX = ("matrix", "label", "depth", "parameter", "rows", "columns", "null_agreement")


@dataclass(frozen=True)
class SuitePlaces:
    """The results of a suite.

    Attributes:
        spectra: The file of measures.
        audit: The file of the audit.
        matrix: The matrix whose singular values and agreement of any two steps go into tables;
            None means the middle one.
    """

    spectra: Path
    audit: Path
    matrix: str | None = None


def write_suite_tables(folder: Path, suites: Mapping[str, SuitePlaces]) -> None:
    """Write every table about suites.

    Args:
        folder: Where to.
        suites: Results of each suite by its name.

    Raises:
        SpecflowError: If a result is missing or broken, or the matrix that is to be shown is not
            one of the suite's.
    """
    measured: dict[str, tuple[tuple[str, ...], Callable[[h5py.File], Iterator[Row]]]] = {
        "suite_matrices": (_MATRIX, _matrices),
        "suite_pairs": (("pair", "depth", "null_alignment"), _pairs),
        "suite_spectra": (("step", "matrix", *MEASURES), _spectra),
        "suite_alignment": (("step", "pair", "alignment_score"), _alignment),
    }
    for table, (columns, rows_of) in measured.items():
        rows = (row for name, places in suites.items() for row in _rows(name, places, rows_of))
        write_table(folder / f"{table}.csv", ("suite", *columns), rows)
    columns = ("suite", "matrix", "step", "index", "value")
    rows = (row for name, places in suites.items() for row in _singular_values(name, places))
    write_table(folder / "suite_singular_values.csv", columns, rows)
    columns = ("suite", "matrix", "step", "other_step", "agreement_score")
    rows = (row for name, places in suites.items() for row in _agreement(name, places))
    write_table(folder / "suite_agreement.csv", columns, rows)
    audits = {name: read_audit(places.audit) for name, places in suites.items()}
    columns = ("suite", "step", "matrix", "relative_change", "cosine")
    rows = (row for name, audit in audits.items() for row in _changes(name, audit))
    write_table(folder / "suite_changes.csv", columns, rows)
    columns = ("suite", "step", "matrix", "flag", "evidence")
    rows = (
        (name, flag.step, flag.matrix, flag.flag, flag.evidence)
        for name, audit in audits.items()
        for flag in audit.flags
    )
    write_table(folder / "suite_audit.csv", columns, rows)


def _rows(
    name: str, places: SuitePlaces, rows_of: Callable[[h5py.File], Iterator[Row]]
) -> Iterator[Row]:
    with open_file(places.spectra, SUITE) as file:
        for row in rows_of(file):
            yield (name, *row)


def _by_depth(file: h5py.File, kind: str) -> list[h5py.Group]:
    groups = file.get(kind, {})
    return [groups[number] for number in sorted(groups, key=int)]


def _matrices(file: h5py.File) -> Iterator[Row]:
    for depth, group in enumerate(_by_depth(file, "matrices")):
        about = group.attrs
        sizes = (int(about["rows"]), int(about["columns"]), float(about["null_agreement"]))
        yield (about["name"], about["label"], depth, about["parameter"], *sizes)


def _pairs(file: h5py.File) -> Iterator[Row]:
    for depth, group in enumerate(_by_depth(file, "pairs")):
        yield (group.attrs["label"], depth, float(group.attrs["null_alignment"]))


def _spectra(file: h5py.File) -> Iterator[Row]:
    steps = file["step"][:].tolist()
    for group in _by_depth(file, "matrices"):
        values = [group[measure][:].tolist() for measure in MEASURES]
        for step, row in zip(steps, zip(*values, strict=True), strict=True):
            yield (step, group.attrs["name"], *row)


def _alignment(file: h5py.File) -> Iterator[Row]:
    steps = file["step"][:].tolist()
    for group in _by_depth(file, "pairs"):
        scores = group["alignment_score"][:].tolist()
        for step, score in zip(steps, scores, strict=True):
            yield (step, group.attrs["label"], score)


def _singular_values(name: str, places: SuitePlaces) -> Iterator[Row]:
    with open_file(places.spectra, SUITE) as file:
        matrix, group = _shown(name, places, file)
        values = group["singular_values"]
        indices = shown_indices(values.shape[1])
        for step, spectrum in zip(file["step"][:].tolist(), values, strict=True):
            for index in indices:
                yield (name, matrix, step, index, float(spectrum[index - 1]))


def _shown(name: str, places: SuitePlaces, file: h5py.File) -> tuple[str, h5py.Group]:
    """Return the name and the group of the matrix that is shown in full."""
    groups = {group.attrs["name"]: group for group in _by_depth(file, "matrices")}
    matrix = chosen_suite_matrix(places.matrix, name, list(groups))
    return matrix, groups[matrix]


def _agreement(name: str, places: SuitePlaces) -> Iterator[Row]:
    """Yield every two steps once, those of the matrix shown in full, then means over matrices."""
    with open_file(places.spectra, SUITE) as file:
        matrix, group = _shown(name, places, file)
        steps = file["step"][:].tolist()
        scores = {matrix: group["agreement_scores"][:], MEAN: _mean_agreement(file)}
    places_shown = np.linspace(0, len(steps) - 1, min(len(steps), _MOST_STEPS)).round().astype(int)
    for one, values in scores.items():
        for first, second in combinations_with_replacement(places_shown.tolist(), 2):
            yield (name, one, steps[first], steps[second], float(values[first, second]))


def _mean_agreement(file: h5py.File) -> np.ndarray:
    """Return the mean over the matrices that are defined, shape (T, T); NaN without any."""
    total = count = np.zeros(2 * file["step"].shape)
    for group in _by_depth(file, "matrices"):
        scores = group["agreement_scores"][:]
        total, count = total + np.nan_to_num(scores), count + np.isfinite(scores)
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def shown_indices(count: int) -> list[int]:
    """Return which of `count` singular values go into the table, numbered from 1."""
    first = list(range(1, min(count, _FIRST_INDICES) + 1))
    others = np.geomspace(_FIRST_INDICES, max(count, _FIRST_INDICES), _OTHER_INDICES + 1)
    return sorted({*first, *np.rint(others).astype(int).tolist()} & set(range(1, count + 1)))


def _changes(name: str, audit: Audit) -> Iterator[Row]:
    for matrix, changes in audit.changes.items():
        values = zip(audit.steps, changes.relative_change, changes.cosine, strict=True)
        for step, change, cosine in list(values)[1:]:
            yield (name, step, matrix, _cell(change), _cell(cosine))


def _cell(value: float | None) -> float:
    return np.nan if value is None else value
