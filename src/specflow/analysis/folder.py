"""The folder of an analysis: tables, figures and a page."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from specflow.audit.findings import Audit
from specflow.frames import write_table
from specflow.outputs import note_written, remove_written
from specflow.scratch import Scratch
from specflow.wiring.coverage import LEFT_OUT

Tables = dict[str, pd.DataFrame]


def present(output: Path, tables: Tables, settings: Mapping[str, Any], audit: Audit | None) -> None:
    """Write tables, figures and the page; without an audit it tells none.

    Raises:
        SpecflowError: If a result cannot be written.
    """
    with alone_in(output):
        _present(output, tables, settings, audit)


def _present(
    output: Path, tables: Tables, settings: Mapping[str, Any], audit: Audit | None
) -> None:
    write_tables(output, tables)
    from specflow.figures.draw import draw_checkpoints  # here, since a table alone draws nothing
    from specflow.figures.section import FiguresParams
    from specflow.report.page import write_checkpoints_page

    note = partial(note_written, output)
    drawn = draw_checkpoints(output / "tables", output / "figures", FiguresParams(), note)
    found = audit.analysed if audit else ()
    said = [one for one in found if not one.startswith(LEFT_OUT)]  # listed in full there
    write_checkpoints_page(output, name_of(output), settings, drawn, audit, said)


def write_tables(output: Path, tables: Tables) -> None:
    """Write tables in place of the tables and figures of an earlier call, perhaps of others.

    Raises:
        SpecflowError: If one of those cannot be removed, or a table cannot be written.
    """
    remove_written(output)
    for name, table in tables.items():
        write_table(output / "tables" / f"{name}.csv", table)
        note_written(output, output / "tables" / f"{name}.csv")


@contextmanager
def alone_in(output: Path) -> Iterator[None]:
    """Keep others out of a folder until what is written there is whole.

    Raises:
        SpecflowError: If the folder cannot be made.
    """
    scratch = Scratch(output / ".writing")
    with scratch.alone():
        try:
            yield
        finally:
            scratch.remove()


def name_of(output: Path) -> str:
    """Return what the checkpoints in a folder are called: its name in letters that names have."""
    name = re.sub(r"[^a-z0-9]+", "_", output.resolve().name.lower()).strip("_")
    return name if re.match("[a-z]", name) else f"checkpoints_{name}".strip("_")
