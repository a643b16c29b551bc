"""Sections of checkpoints made elsewhere, and their tables: spectra, changes, the audit's flags."""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import pandas as pd

from specflow import paths
from specflow.audit.findings import read_audit
from specflow.checkpoints.remote.places import bare, is_url
from specflow.frames import Frames, where
from specflow.hdf5 import open_file
from specflow.measure.layouts import SPECTRA
from specflow.section import Section
from specflow.studies.checkpoints.settings import CheckpointsSettings
from specflow.studies.shown import ShownParams
from specflow.studies.spectra import Measured, spectra_summary, spectra_tables
from specflow.studies.study import Known, Shown, Study
from specflow.studies.tables import entries_of, spread, stacked

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
            measured_checkpoints(name, paths.checkpoints_spectra(name), own.shown)
            for name, own in entries.items()
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


def checkpoint_tables(name: str, spectra: Path, audit: Path) -> dict[str, pd.DataFrame]:
    """Return every table of one network's checkpoints; the middle matrix and pair are in full.

    Raises:
        SpecflowError: If a result is missing or broken.
    """
    return _tables([measured_checkpoints(name, spectra)], {name: audit})


def measured_checkpoints(name: str, spectra: Path, shown: ShownParams | None = None) -> Measured:
    """Return the spectra of checkpoints, of seed 0, and what is shown of them entry by entry.

    By default these are the middle matrix and pair by depth.

    Raises:
        SpecflowError: If the file is missing or broken, or there is no such matrix or pair.
    """
    shown, path = shown or ShownParams(), f"figures.checkpoints.{name}"
    with open_file(spectra, SPECTRA) as file:
        matrices, pairs = (list(entries_of(file, kind)) for kind in ("matrices", "pairs"))
    return Measured(
        name,
        {0: spectra},
        shown.chosen(path, "matrix", matrices),
        shown.chosen(path, "pair", pairs),
    )


def _tables(measured: Sequence[Measured], audits: Mapping[str, Path]) -> dict[str, pd.DataFrame]:
    changes, flags = [], []
    for name, path in audits.items():
        audit = read_audit(path)
        for matrix, own in audit.changes.items():
            cells = {
                "experiment": name,
                "step": audit.steps,
                "matrix": matrix,
                "relative_change": np.array(own.relative_change, dtype=np.float64),
                "cosine": np.array(own.cosine, dtype=np.float64),
            }
            changes.append(pd.DataFrame(cells)[1:])  # from each step to the next
        flags += [(name, one.step, one.tensor, one.flag, one.evidence) for one in audit.flags]
    return {
        **spectra_tables(measured),
        "changes": stacked(_CHANGES, changes),
        "audit": pd.DataFrame(flags, columns=list(_FLAGS)),
    }
