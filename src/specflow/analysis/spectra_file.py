"""A file of spectra: its tables, and the page of one that grows while a training is watched."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from specflow.analysis.folder import Tables, name_of, present
from specflow.hdf5 import open_file
from specflow.live.kinds import Kind
from specflow.live.rows import rows_of
from specflow.measure.layouts import SPECTRA
from specflow.outputs import check_output
from specflow.scratch import state_of
from specflow.studies.checkpoints.study import checkpoint_tables
from specflow.studies.checkpoints.training import training_tables
from specflow.studies.rows import rows_in
from specflow.textfiles import writing

UNAUDITED = "spectra that were measured before; there is no audit without the weights"
_OFTEN = 1.0  # seconds between two looks at the file
_RARELY = 4  # times as long as the page takes passes until it is written again


def write_pages(spectra: Path, output: Path) -> Iterator[Path | None]:
    """Write tables, figures and a page of a file of spectra, again each time that it has grown.

    Args:
        spectra: The file, that of an analysis or of a training that is watched; of this one also
            what lies beside it of leading values.
        output: Folder of all that is written; made if missing.

    Yields:
        The place of the page, each time it is there, without end; None while the first step of a
        training is not measured yet.

    Raises:
        SpecflowError: If the file is missing or broken, or a result cannot be written.
    """
    while not spectra.exists() and rows_of(spectra).folder.exists():
        yield None
        time.sleep(_OFTEN)
    while True:
        began, state = time.monotonic(), _state(spectra)
        check_output(output)
        present(output, tables_of(spectra, output), {"spectra": str(spectra)}, None)
        yield output / "index.html"
        due = began + (1 + _RARELY) * (time.monotonic() - began)
        while _state(spectra) == state or time.monotonic() < due:
            time.sleep(_OFTEN)


def tables_of(spectra: Path, output: Path) -> Tables:
    """Return the tables of a file of spectra as it is now, and of leading values beside it.

    Args:
        spectra: The file.
        output: Folder whose name is that of what was measured; made if missing.

    Raises:
        SpecflowError: If a file is missing or broken.
    """
    name, leading = name_of(output), Kind.LEADING.place(spectra)
    with _as_it_is(spectra, output) as kept:
        tables = checkpoint_tables(name, kept, None, rows_in(kept))
        return tables | training_tables(name, kept, leading if leading.exists() else None)


def _state(spectra: Path) -> list[str]:
    return [state_of(path) for path in (spectra, Kind.LEADING.place(spectra))]


@contextmanager
def _as_it_is(path: Path, folder: Path) -> Iterator[Path]:
    """Yield a file as it is now: it is read more than once, and another may take its place."""
    with open_file(path, SPECTRA):  # or it is said what is wrong with it
        pass
    kept = folder / f".{path.name}"
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        kept.unlink(missing_ok=True)
        try:
            os.link(path, kept)
        except OSError:  # another disk, or one without links
            shutil.copyfile(path, kept)
    try:
        yield kept
    finally:
        kept.unlink()
