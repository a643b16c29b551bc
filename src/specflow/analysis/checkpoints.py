"""From checkpoints to tables: audit and spectra, measured where the output will be."""

import gc
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import pandas as pd
from tqdm import tqdm

from specflow.analysis.folder import Tables, name_of, present
from specflow.analysis.sources import Source, files_of, opened, params_of, spectra_in
from specflow.analysis.spectra_file import UNAUDITED, tables_of, write_page
from specflow.audit.findings import Audit
from specflow.audit.published import audit_published
from specflow.checkpoints.remote.places import bare
from specflow.config.code import SOURCE, code_of
from specflow.errors import SpecflowError
from specflow.executor import num_workers
from specflow.measure.settings import Family, SpectraParams
from specflow.measure.spectra_file import See
from specflow.outputs import check_output
from specflow.scratch import Scratch
from specflow.studies.checkpoints.analysis import analyze_checkpoints
from specflow.studies.checkpoints.study import checkpoint_tables
from specflow.studies.rows import SpectraRows

# QUICK leaves out what takes about as long again as all else.
QUICK = SpectraParams(diagonal_length=100, score_length=10, mass=0.9, more=("random_matrix",))
_QUICKLY = (
    "quick: without permuted entries, power laws, changes between steps and products of heads"
)
SPECTRA = QUICK.model_copy(update={"more": get_args(Family)})
_NEW_OBJECTS = 10**5  # before the collector looks at them; after 700 each it takes a sixth longer


def analyze_to(
    source: Source, options: Mapping[str, Any], output: Path, spectra: SpectraParams = SPECTRA
) -> tuple[Audit | None, Tables]:
    """Write audit.json, spectra.h5, tables, figures and a page of checkpoints.

    A killed analysis goes on where it was when it is started again with the same output.

    Args:
        source: Files, folders or patterns, relative to the working folder, or `STEP=PATH`; or
            weights in memory; or one file of spectra, of `specflow.watch` or of an analysis.
        options: How they are read, as in `ReadingParams`; fusions and pairs may be text.
        output: Folder of all that is written; made if missing.
        spectra: What is measured of every matrix.

    Returns:
        The audit, None of spectra alone, and all tables by name.

    Raises:
        SpecflowError: If a checkpoint cannot be read as asked, or a result cannot be written.
    """
    if (measured := _measured_before(source, options, spectra)) is not None:
        return None, write_page(measured, output)
    check_output(output)
    audit, tables = _measured(source, options, output, spectra)
    files = [bare(file.path) for file in params_of(source, options).files]
    settings = {"files": files, **options, "spectra": spectra.model_dump(mode="json")}
    present(output, tables, settings, audit)
    return audit, tables


def audit(source: Source, options: Mapping[str, Any], *, hashes_only: bool = False) -> Audit:
    """Return the audit of checkpoints; nothing is written.

    Args:
        source: As for `analyze_to`.
        options: As for `analyze_to`.
        hashes_only: Whether files are compared by the hashes that a hub publishes, and no weight
            is read.

    Raises:
        SpecflowError: If a checkpoint cannot be read as asked.
    """
    if hashes_only:
        return audit_published(files_of(params_of(source, options)))
    with tempfile.TemporaryDirectory() as folder:
        return _run(source, options, Path(folder) / "partial", SPECTRA)


def spectra_of(
    source: Source, options: Mapping[str, Any], output: Path | None, spectra: SpectraParams
) -> pd.DataFrame:
    """Return ranks, norms and agreement of every matrix, a row a step and matrix.

    Its `attrs` hold what was analysed, notes and flags, those of the audit.

    Arguments and errors as for `analyze_to`, which runs if there is an output.
    """
    found: Audit | None = None
    if output is not None:
        found, tables = analyze_to(source, options, output, spectra)
    elif (measured := _measured_before(source, options, spectra)) is not None:
        tables = tables_of(measured, name_of(measured.with_suffix("")))
    else:
        with tempfile.TemporaryDirectory() as folder:
            found, tables = _measured(source, options, Path(folder), spectra)
    table = tables["spectra"].drop(columns=["experiment", "seed"])
    flags = [flag.model_dump() for flag in found.flags] if found else []
    analysed, notes = (found.analysed, found.notes) if found else ((), (UNAUDITED,))
    table.attrs |= {"analysed": [*analysed], "notes": [*notes], "flags": flags}
    return table


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Look for cycles seldom: what there is of thousands of matrices is many objects in none.

    The threshold is that of all threads; so only one of them, the main one, may change it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = gc.get_threshold()
    gc.set_threshold(before[0] and max(before[0], _NEW_OBJECTS), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


@_rare_collections()
def _measured(
    source: Source, options: Mapping[str, Any], output: Path, settings: SpectraParams
) -> tuple[Audit, Tables]:
    """Write audit.json and spectra.h5; return the audit, with what was left out, and all tables."""
    spectra, audit = output / "spectra.h5", output / "audit.json"
    root, rows = output / ".partial", SpectraRows()
    found = _run(source, options, root, settings, rows.add, audit=audit, spectra=spectra)
    if settings == QUICK:
        found = found.model_copy(update={"analysed": (*found.analysed, _QUICKLY)})
    return found, checkpoint_tables(name_of(output), spectra, audit, rows)


def _measured_before(
    source: Source, options: Mapping[str, Any], settings: SpectraParams
) -> Path | None:
    """Return the file of spectra that a source is, None if it is weights.

    Raises:
        SpecflowError: If something is asked of a file of spectra that would take its weights.
    """
    if (path := spectra_in(source)) is None:
        return None
    own, usual = params_of(path, options), params_of(path, {})
    changed = (name for name in options if getattr(own, name) != getattr(usual, name))
    asked = [f"{name}={options[name]!r}" for name in changed]
    if settings != SPECTRA:
        asked.append("quick" if settings == QUICK else "spectra")
    if asked:
        told = f"{path}: got {', '.join(asked)} of a file of spectra"
        raise SpecflowError(f"{told}; expected no option, since what is in it was measured before")
    return path


def _run(
    source: Source,
    options: Mapping[str, Any],
    root: Path,
    spectra_settings: SpectraParams,
    see: See | None = None,
    **places: Path,
) -> Audit:
    params = params_of(source, options)
    checkpoints, wiring = opened(source, params, needed="spectra" in places)
    code = code_of(SOURCE / "studies" / "checkpoints" / "analysis.py")
    # where files are is in their fingerprint, without what is signed anew in a URL each time
    settings = (params.model_dump_json(exclude={"files"}), spectra_settings.model_dump_json())
    wired = repr((wiring.matrices, wiring.pairs))  # modules tell more than their weights
    whole = Scratch(root)
    with whole.alone():
        total = (1 + ("spectra" in places)) * len(checkpoints.steps)
        with tqdm(total=total, desc="checkpoints", unit="step", disable=None) as bar:
            found = analyze_checkpoints(
                checkpoints,
                wiring,
                spectra_settings,
                Scratch.of(root, "steps", *settings, wired, checkpoints.fingerprint(), repr(code)),
                bar.update,
                workers=num_workers(),
                see=see,
                audit=places.get("audit"),
                spectra=places.get("spectra"),
            )
        whole.remove()
    return found
