"""Tables of checkpoints made elsewhere: those of their spectra, changes, and the audit's flags."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from specflow.audit.findings import read_audit
from specflow.errors import SpecflowError
from specflow.hdf5 import open_file
from specflow.layouts import SPECTRA
from specflow.studies.measures import entries_of, stacked
from specflow.studies.spectra import Measured, spectra_tables

_CHANGES = ("experiment", "step", "matrix", "relative_change", "cosine")
_FLAGS = ("experiment", "step", "matrix", "flag", "evidence")


def checkpoint_tables(
    name: str, spectra: Path, audit: Path, matrix: str | None = None
) -> dict[str, pd.DataFrame]:
    """Return every table of one network's checkpoints by name.

    Args:
        name: What tables call them.
        spectra: The file of their spectra.
        audit: The file of their audit.
        matrix: As for `measured_checkpoints`.

    Raises:
        SpecflowError: If a result is missing or broken, or there is no such matrix.
    """
    measured = measured_checkpoints(name, spectra, matrix)
    return {**spectra_tables([measured]), **audit_tables({name: audit})}


def measured_checkpoints(name: str, spectra: Path, matrix: str | None = None) -> Measured:
    """Return the spectra of checkpoints; in full, one matrix and the middle pair are shown.

    Args:
        name: What tables call them; they are of seed 0.
        spectra: The file.
        matrix: The matrix shown in full; None means the middle one by depth.

    Raises:
        SpecflowError: If the file is missing or broken, or there is no such matrix.
    """
    with open_file(spectra, SPECTRA) as file:
        matrices, pairs = (list(entries_of(file, kind)) for kind in ("matrices", "pairs"))
    if matrix is not None and matrix not in matrices:
        expected = ", ".join(matrices) or "none"
        raise SpecflowError(
            f"figures.checkpoints.{name}.matrix: got {matrix!r}; expected one of {expected}"
        )
    shown = _middle(matrices) if matrix is None else (matrix,)
    return Measured(name, {0: spectra}, shown, _middle(pairs))


def _middle(names: list[str]) -> tuple[str, ...]:
    return tuple(names[len(names) // 2 :][:1])


def audit_tables(audits: Mapping[str, Path]) -> dict[str, pd.DataFrame]:
    """Return the tables changes and audit.

    Args:
        audits: The file of each audit, by the name of its checkpoints.

    Raises:
        SpecflowError: If an audit is missing or broken.
    """
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
        flags += [(name, one.step, one.matrix, one.flag, one.evidence) for one in audit.flags]
    return {
        "changes": stacked(_CHANGES, changes),
        "audit": pd.DataFrame(flags, columns=list(_FLAGS)),
    }
