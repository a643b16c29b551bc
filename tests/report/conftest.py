from collections.abc import Callable
from pathlib import Path

import pytest
from tests.report.made_up import (
    FIGURES,
    made_up_claims,
    write_config,
    write_json,
    write_png,
    write_summary,
)

from specflow import paths
from specflow.figures.index import FigureEntry, write_index


@pytest.fixture
def results(workplace: Path) -> Callable[..., None]:
    """A function that writes all results, with these claims and figures."""

    def write(claims: dict | None = None, figures=FIGURES) -> None:
        write_config()
        write_summary()
        write_json(paths.CLAIMS, made_up_claims() if claims is None else claims)
        entries = [FigureEntry.of(kind, subject) for kind, subject in figures]
        write_index(paths.FIGURES_INDEX, entries)
        for entry in entries:
            write_png(paths.FIGURES / entry.file, f"Title of {entry.kind}: {entry.subject}")

    return write
