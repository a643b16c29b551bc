"""A file of spectra: its tables, and the page of one that grows while a training is watched."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from specflow.analysis.folder import Tables, name_of, present
from specflow.errors import SpecflowError
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
        write_page(spectra, output)
        yield output / "index.html"
        due = began + (1 + _RARELY) * (time.monotonic() - began)
        while _state(spectra) == state or time.monotonic() < due:
            time.sleep(_OFTEN)


def write_page(spectra: Path, output: Path) -> Tables:
    """Write tables, figures and a page of a file of spectra, and return the tables.

    Arguments and errors as for `write_pages`.

    Raises:
        SpecflowError: Also if the output has an audit: it would be that of something else.
    """
    check_output(output)
    if (output / "audit.json").exists():
        told = f"{output}: has the audit.json of an analysis, and spectra alone have no audit"
        raise SpecflowError(f"{told}; expected another folder")
    tables = tables_of(spectra, name_of(output), output)
    present(output, tables, {"spectra": str(spectra)}, None)
    return tables


def tables_of(spectra: Path, name: str, folder: Path | None = None) -> Tables:
    """Return the tables of a file of spectra as it is now, and of leading values beside it.

    Args:
        spectra: The file.
        name: What the tables call what was measured.
        folder: Where there is room for a copy, made if missing; None is that for temporary files.

    Raises:
        SpecflowError: If a file is missing or broken.
    """
    leading = Kind.LEADING.place(spectra)
    with _as_it_is(spectra, folder) as kept:
        tables = checkpoint_tables(name, kept, None, rows_in(kept))
        return tables | training_tables(name, kept, leading if leading.exists() else None)


def _state(spectra: Path) -> list[str]:
    return [state_of(path) for path in (spectra, Kind.LEADING.place(spectra))]


@contextmanager
def _as_it_is(path: Path, folder: Path | None) -> Iterator[Path]:
    """Yield a file as it is now: it is read more than once, and another may take its place."""
    with open_file(path, SPECTRA):  # or it is said what is wrong with it
        pass
    with writing(folder or path):
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        own = tempfile.TemporaryDirectory(prefix=".", dir=folder)
    with own as name:
        kept = Path(name, path.name)
        try:
            os.link(path.resolve(), kept)
        except OSError:  # another disk, or one without links
            with writing(kept):
                shutil.copyfile(path, kept)
        yield kept
