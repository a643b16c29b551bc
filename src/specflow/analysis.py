"""Checkpoints analysed on their own: behind the command line and `specflow.analyze`."""

import gc
import re
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, get_args

import pandas as pd
from pydantic import ValidationError
from torch import nn
from tqdm import tqdm

from specflow.audit.findings import Audit
from specflow.audit.published import audit_published
from specflow.checkpoints.base import Checkpoints
from specflow.checkpoints.files import FileCheckpoints, given_file
from specflow.checkpoints.live import LiveCheckpoints, LiveSteps, Weights, are_steps
from specflow.checkpoints.network import structure_of_live
from specflow.checkpoints.remote.places import bare
from specflow.checkpoints.stream import contents_of
from specflow.config.code import SOURCE, code_of
from specflow.errors import BrokenFileError, SpecflowError
from specflow.executor import num_workers
from specflow.frames import write_table
from specflow.hdf5 import open_file
from specflow.measure import layouts
from specflow.measure.settings import Family, SpectraParams
from specflow.measure.spectra_file import See
from specflow.outputs import check_output, note_written, remove_written
from specflow.scratch import Scratch
from specflow.section_errors import problems_of
from specflow.studies.checkpoints.analysis import analyze_checkpoints, wiring_of_files
from specflow.studies.checkpoints.settings import ReadingParams
from specflow.studies.checkpoints.study import checkpoint_tables
from specflow.studies.rows import SpectraRows
from specflow.wiring import Wiring
from specflow.wiring.coverage import LEFT_OUT, NoMatrixError
from specflow.wiring.declared import pair_of
from specflow.wiring.fusion import fusion_of
from specflow.wiring.recognize import wiring_of

# QUICK leaves out what takes about as long again as all else.
QUICK = SpectraParams(diagonal_length=100, score_length=10, mass=0.9, more=("random_matrix",))
_QUICKLY = (
    "quick: without permuted entries, power laws, changes between steps and products of heads"
)
SPECTRA = QUICK.model_copy(update={"more": get_args(Family)})
_NEW_OBJECTS = 10**5  # before the collector looks at them; after 700 each it takes a sixth longer

Tables = dict[str, pd.DataFrame]
Source = str | Path | Sequence[str | Path] | Weights


def analyze_to(
    source: Source, options: Mapping[str, Any], output: Path, spectra: SpectraParams = SPECTRA
) -> tuple[Audit, Tables]:
    """Write audit.json, spectra.h5, tables, figures and a page of checkpoints.

    A killed analysis goes on where it was when it is started again with the same output.

    Args:
        source: Files, folders or patterns, relative to the working folder, or `STEP=PATH`; or
            weights in memory.
        options: How they are read, as in `ReadingParams`; fusions and pairs may be text.
        output: Folder of all that is written; made if missing.
        spectra: What is measured of every matrix.

    Returns:
        The audit, and all tables by name.

    Raises:
        SpecflowError: If a checkpoint cannot be read as asked, or a result cannot be written.
    """
    check_output(output)
    audit, tables = _measured(source, options, output, spectra)
    files = [bare(file.path) for file in _params(source, options).files]
    settings = {"files": files, **options, "spectra": spectra.model_dump(mode="json")}
    present(output, tables, settings, audit)
    return audit, tables


def present(output: Path, tables: Tables, settings: Mapping[str, Any], audit: Audit | None) -> None:
    """Write tables, figures and the page; without an audit it tells none.

    Raises:
        SpecflowError: If a result cannot be written.
    """
    write_tables(output, tables)
    from specflow.figures.draw import draw_checkpoints  # here, since a table alone draws nothing
    from specflow.figures.section import FiguresParams
    from specflow.report.page import write_checkpoints_page

    note = partial(note_written, output)
    drawn = draw_checkpoints(output / "tables", output / "figures", FiguresParams(), note)
    found = audit.analysed if audit else ()
    said = [one for one in found if not one.startswith(LEFT_OUT)]  # listed in full there
    write_checkpoints_page(output, name_of(output), settings, drawn, audit, said)


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
        return audit_published(FileCheckpoints(_params(source, options), Path()))
    with tempfile.TemporaryDirectory() as folder:
        return _run(source, options, Path(folder) / "partial", SPECTRA)


def spectra_of(
    source: Source, options: Mapping[str, Any], output: Path | None, spectra: SpectraParams
) -> pd.DataFrame:
    """Return ranks, norms and agreement of every matrix, a row a step and matrix.

    Its `attrs` hold what was analysed, notes and flags, those of the audit.

    Arguments and errors as for `analyze_to`, which runs if there is an output.
    """
    if output is None:
        with tempfile.TemporaryDirectory() as folder:
            found, tables = _measured(source, options, Path(folder), spectra)
    else:
        found, tables = analyze_to(source, options, output, spectra)
    table = tables["spectra"].drop(columns=["experiment", "seed"])
    flags = [flag.model_dump() for flag in found.flags]
    table.attrs |= {"analysed": [*found.analysed], "notes": [*found.notes], "flags": flags}
    return table


def opened(source: Source, options: Mapping[str, Any]) -> tuple[Checkpoints, Wiring]:
    """Return checkpoints and their wiring; no weight is read. Arguments as for `analyze_to`.

    Raises:
        SpecflowError: If a checkpoint cannot be read as asked.
    """
    return _opened(source, _params(source, options), needed=True)


def _files(params: ReadingParams) -> FileCheckpoints:
    """Return checkpoints on disk.

    Raises:
        SpecflowError: If they are broken, or one has the spectra of weights in place of these.
    """
    try:
        return FileCheckpoints(params, Path())
    except SpecflowError as error:
        for path in [file.path for file in params.files]:
            with suppress(BrokenFileError), open_file(Path(path), layouts.SPECTRA):
                said = f"has spectra, no weights; `specflow page {path}` shows them"
                raise SpecflowError(f"{path}: {said}") from error
        raise


def write_tables(output: Path, tables: Tables) -> None:
    """Write tables in place of the tables and figures of an earlier call, perhaps of others.

    Raises:
        SpecflowError: If one of those cannot be removed, or a table cannot be written.
    """
    remove_written(output)
    for name, table in tables.items():
        write_table(output / "tables" / f"{name}.csv", table)
        note_written(output, output / "tables" / f"{name}.csv")


def name_of(output: Path) -> str:
    """Return what the checkpoints in a folder are called: its name in letters that names have."""
    name = re.sub(r"[^a-z0-9]+", "_", output.resolve().name.lower()).strip("_")
    return name if re.match("[a-z]", name) else f"checkpoints_{name}".strip("_")


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


def _run(
    source: Source,
    options: Mapping[str, Any],
    root: Path,
    spectra_settings: SpectraParams,
    see: See | None = None,
    **places: Path,
) -> Audit:
    params = _params(source, options)
    checkpoints, wiring = _opened(source, params, needed="spectra" in places)
    code = code_of(SOURCE / "studies" / "checkpoints" / "analysis.py")
    # where files are is in their fingerprint, without what is signed anew in a URL each time
    settings = (params.model_dump_json(exclude={"files"}), spectra_settings.model_dump_json())
    wired = repr((wiring.matrices, wiring.pairs))  # modules tell more than their weights
    whole = Scratch(root)
    with whole.locked():
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
        whole.lock.unlink()  # one who waits for it finds it gone and makes another
    return found


def _params(source: Source, options: Mapping[str, Any]) -> ReadingParams:
    raw = {"files": _files_of(source), **options}
    for key, of_text in (("fused", fusion_of), ("pairs", pair_of)):
        if isinstance(given := raw.get(key), list | tuple):  # text is no list: refused below
            raw[key] = [of_text(one) if isinstance(one, str) else one for one in given]
    try:
        return ReadingParams.model_validate(raw)
    except ValidationError as error:
        raise SpecflowError("; ".join(problems_of(error, ReadingParams, raw))) from error


def _files_of(source: Source) -> list[Any]:
    if isinstance(source, nn.Module | Mapping):
        return ["memory"]
    if isinstance(source, str | Path):
        return [given_file(str(source), Path())]
    several = source if isinstance(source, Sequence) else [source]
    if several is source and all(isinstance(one, str | Path) for one in several):
        return [given_file(str(one), Path()) for one in several]
    kinds = ", ".join(dict.fromkeys(type(one).__name__ for one in several))
    raise SpecflowError(
        f"checkpoints: got {'a list of ' if several is source else ''}{kinds}; expected paths, "
        "patterns, a state dict or a module, or of several steps in memory a dict: "
        "{0: state_dict, 100: other_state_dict}"
    )


def _opened(source: Source, params: ReadingParams, *, needed: bool) -> tuple[Checkpoints, Wiring]:
    """Return checkpoints and their wiring, one without matrices if none is needed.

    Raises:
        SpecflowError: If there is no matrix, and one is needed.
    """
    if isinstance(source, nn.Module | Mapping):
        checkpoints: Checkpoints
        if are_steps(source):
            checkpoints, last = LiveSteps(source, params.key), source[max(source)]
        else:
            checkpoints, last = LiveCheckpoints(source, key=params.key), source
        structure = structure_of_live(last) if isinstance(last, nn.Module) else None
        held = contents_of(checkpoints)
        find = partial(wiring_of, held.expected, params, structure, held.unreadable)
    else:
        checkpoints = _files(params)
        find = partial(wiring_of_files, checkpoints, params)
    try:
        return checkpoints, find()
    except NoMatrixError as error:
        if needed:
            raise SpecflowError(f"{checkpoints.steps[-1].place}: {error}") from error
        return checkpoints, Wiring((), ())
