"""Sections of checkpoints made elsewhere, and their tables: spectra, changes, the audit's flags."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import pandas as pd

from specflow import paths
from specflow.audit.findings import read_audit
from specflow.checkpoints.remote.places import bare, is_url
from specflow.frames import Frames, where
from specflow.section import Section
from specflow.studies.checkpoints.settings import CheckpointsSettings
from specflow.studies.rows import KINDS, SpectraRows, rows_in
from specflow.studies.shown import ShownParams
from specflow.studies.spectra import Measured, spectra_summary, spectra_tables
from specflow.studies.study import Known, Shown, Study
from specflow.studies.tables import spread, stacked

_CHANGES = ("experiment", "step", "matrix", "relative_change", "cosine")
_FLAGS = ("experiment", "step", "tensor", "flag", "evidence")


class CollectedCheckpoints(Section):
    """What is collected of checkpoints.

    Attributes:
        shown: Which matrices and pairs single singular values and diagonals go into tables of.
    """

    shown: ShownParams


class CheckpointsParams(Study, CheckpointsSettings):
    """Checkpoints of one network that were made elsewhere."""

    collects = CollectedCheckpoints

    def problems(self, known: Known) -> list[str]:
        """Return which files lie outside the folder that stages depend on, or may hold a secret."""
        return [
            f"files.{place}: got {bare(file.path)!r}{problem}"
            for place, file in enumerate(self.files)
            if (problem := _problem_of(file.path))
        ]

    def settings(self, name: str, known: Known) -> Mapping[str, Section]:
        """Return the settings of analyze."""
        return {"analyze": CheckpointsSettings(**dict(self))}

    def collected(self, name: str, known: Known, shown: Shown) -> Section:
        """Return what the tables of the checkpoints are made of."""
        return CollectedCheckpoints(shown=shown.of_checkpoints(name))

    @staticmethod
    def tables(entries: Mapping[str, CollectedCheckpoints]) -> dict[str, pd.DataFrame]:
        """Return the tables of spectra, changes and audit.

        Raises:
            SpecflowError: If a result is missing or broken, or has not what is to be in full.
        """
        measured = [
            measured_checkpoints(name, spectra, rows_in(spectra), own.shown)
            for name, own in entries.items()
            for spectra in (paths.checkpoints_spectra(name),)
        ]
        return _tables(measured, {name: paths.checkpoints_audit(name) for name in entries})

    @staticmethod
    def summary(tables: Frames, names: Sequence[str]) -> dict[str, Any]:
        """Return what the metrics file says of each, over matrices or pairs."""
        found = {}
        for name in names:
            flagged = where(tables["audit"], experiment=name)["step"].nunique()
            spectra = spectra_summary(tables, name, "matrix", "pair")
            found[name] = {"flagged_steps": spread(pd.Series([float(flagged)])), **spectra}
        return found


def _problem_of(path: str) -> str:
    """Return what is wrong with where a file is, "" if nothing is."""
    if is_url(path):
        kept = " and a query or password; expected a URL without, since results keep it"
        return "" if bare(path) == path else kept
    outside = PurePath(path).is_absolute() or ".." in PurePath(path).parts
    return "; expected a path or pattern within path" if outside else ""


def checkpoint_tables(
    name: str, spectra: Path, audit: Path | None, rows: SpectraRows
) -> dict[str, pd.DataFrame]:
    """Return every table of one network's checkpoints; the middle matrix and pair are in full.

    Args:
        name: What tables call them.
        spectra: Place of the spectra.
        audit: Place of the audit; without one there are no tables of it.
        rows: The rows of the spectra.

    Raises:
        SpecflowError: If a result is missing or broken.
    """
    measured = [measured_checkpoints(name, spectra, rows)]
    return spectra_tables(measured) if audit is None else _tables(measured, {name: audit})


def measured_checkpoints(
    name: str, spectra: Path, rows: SpectraRows, shown: ShownParams | None = None
) -> Measured:
    """Return the spectra of checkpoints, of seed 0, and what is shown of them entry by entry.

    By default these are the middle matrix and pair by depth.

    Raises:
        SpecflowError: If there is no such matrix or pair.
    """
    shown = shown or ShownParams()
    path = f"figures.checkpoints.{name}"
    matrices, pairs = (
        shown.chosen(path, one, list(rows.about[kind])) for kind, one in KINDS.items()
    )
    return Measured(name, {0: spectra}, matrices, pairs, {0: rows})


def _tables(measured: Sequence[Measured], audits: Mapping[str, Path]) -> dict[str, pd.DataFrame]:
    changes, flags = [], []
    for name, path in audits.items():
        audit = read_audit(path)
        of_all, later = audit.changes, audit.steps[1:]  # from each step to the next
        cells = {
            "experiment": name,
            "step": np.tile(later, len(of_all)),
            "matrix": np.repeat(np.array(list(of_all), dtype=object), len(later)),
            "relative_change": _joined(own.relative_change[1:] for own in of_all.values()),
            "cosine": _joined(own.cosine[1:] for own in of_all.values()),
        }
        changes.append(pd.DataFrame(cells))
        flags += [(name, one.step, one.tensor, one.flag, one.evidence) for one in audit.flags]
    return {
        **spectra_tables(measured),
        "changes": stacked(_CHANGES, changes),
        "audit": pd.DataFrame(flags, columns=list(_FLAGS)),
    }


def _joined(parts: Iterable[Sequence[float | None]]) -> np.ndarray:
    return np.array([*chain.from_iterable(parts)], dtype=np.float64)
