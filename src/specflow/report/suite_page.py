"""The page of one suite that was analysed without DVC."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from specflow.figures.index import FigureEntry
from specflow.report.environment import environment
from specflow.report.numbers import UNDEFINED, number
from specflow.report.pictures import picture
from specflow.suite_results import Audit
from specflow.tables.reading import Tables
from specflow.textfiles import write_text

_MEASURES = {
    "normalized_effective_rank": "normalized effective rank",
    "stable_rank": "stable rank",
    "log_norm": "log norm",
    "log_spectral_norm": "log spectral norm",
}


def write_suite_page(folder: Path, name: str, audit: Audit, figures: Sequence[FigureEntry]) -> None:
    """Write index.html of a suite.

    Args:
        folder: Where its tables and figures lie, and the page will.
        name: What the suite is called.
        audit: Its audit.
        figures: Its figures.

    Raises:
        SpecflowError: If a table or a figure is missing or broken, or the page cannot be written.
    """
    page = folder / "index.html"
    template = environment().get_template("suite.html.j2")
    html = template.render(
        name=name,
        audit_=audit,
        pictures=[picture(entry, folder / "figures", page) for entry in figures],
        measures=_MEASURES.values(),
        matrices=_matrices(Tables(folder / "tables"), name),
    )
    write_text(page, html)


def _matrices(tables: Tables, name: str) -> list[tuple[str, str, str, list[str]]]:
    """Return name, label, shape and measures at the last step of every matrix."""
    matrices = tables["suite_matrices"].where(suite=name)
    spectra = tables["suite_spectra"].where(suite=name)
    end = spectra.where(step=float(np.max(spectra.numbers("step"))))
    rows = []
    for place, matrix in enumerate(matrices.column("matrix").tolist()):
        sizes = (int(matrices.numbers(key)[place]) for key in ("rows", "columns"))
        values = (float(end.where(matrix=matrix).numbers(key)[0]) for key in _MEASURES)
        cells = [number(value) if np.isfinite(value) else UNDEFINED for value in values]
        label = str(matrices.column("label")[place])
        rows.append((matrix, label, " x ".join(map(str, sizes)), cells))
    return rows
