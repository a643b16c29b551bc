"""Checkpoints of one network: read and wired, audited, then measured, over any number of kills."""

from dataclasses import replace
from pathlib import Path

from specflow.audit.findings import Audit, write_audit
from specflow.audit.flags import audit_checkpoints
from specflow.checkpoints.base import Checkpoints
from specflow.checkpoints.files import FileCheckpoints
from specflow.checkpoints.stream import contents_of
from specflow.executor import Report
from specflow.measure.settings import SpectraParams
from specflow.measure.spectra import measure_spectra
from specflow.measure.spectra_file import See
from specflow.scratch import Scratch
from specflow.studies.checkpoints.ranges import measure_in_ranges
from specflow.studies.checkpoints.settings import ReadingParams
from specflow.wiring import Wiring
from specflow.wiring.recognize import wiring_of


def read_checkpoints(params: ReadingParams, root: Path) -> tuple[FileCheckpoints, Wiring]:
    """Return checkpoints, and the wiring of what most steps hold; no weight is read.

    Args:
        params: Files, layout and what to leave out.
        root: The folder that paths and patterns are relative to.

    Raises:
        SpecflowError: If a file is broken, or a name or a shape does not fit the layout.
    """
    checkpoints = FileCheckpoints(params, root)
    return checkpoints, wiring_of_files(checkpoints, params)


def wiring_of_files(checkpoints: FileCheckpoints, params: ReadingParams) -> Wiring:
    """Return the wiring of what most steps in files hold; no weight is read.

    Raises:
        SpecflowError: If a file is broken, or a name or a shape does not fit the layout.
    """
    held = contents_of(checkpoints)
    structure = checkpoints.structure(held.expected)
    wiring = wiring_of(held.expected, params, structure, held.unreadable)
    return replace(wiring, notes=(*checkpoints.notes, *wiring.notes))


def analyze_checkpoints(
    checkpoints: Checkpoints,
    wiring: Wiring,
    settings: SpectraParams,
    scratch: Scratch,
    report: Report,
    *,
    workers: int,
    audit: Path | None = None,
    spectra: Path | None = None,
    see: See | None = None,
    ranges: int | None = None,
) -> Audit:
    """Audit checkpoints, then measure them; flags end neither.

    Args:
        checkpoints: The steps of one network's training.
        wiring: Its matrices and which of them meet; an audit alone needs none.
        settings: What is stored of every matrix.
        scratch: Where finished steps are kept; removed at the end.
        report: Called with 1 after each step that was audited, and each that was measured.
        workers: Threads, one matrix each.
        audit: Place of the audit; None keeps it from disk.
        spectra: Place of the spectra; None measures none.
        see: Called with each matrix and pair of the spectra, as `write_spectra` does.
        ranges: Processes that steps in files are divided among, which changes no bit; None means
            as many as are fastest. With one, all is done in this process.

    Raises:
        SpecflowError: If a file is broken, a decomposition does not converge, or the disk is full.
    """
    measured = None if spectra is None else settings
    with scratch.until_done():
        scratch.gather()
        if isinstance(checkpoints, FileCheckpoints) and checkpoints.on_disk:
            measure_in_ranges(checkpoints, wiring, measured, scratch, ranges, workers)
        found = audit_checkpoints(checkpoints, wiring, scratch, report, workers)
        if audit is not None:
            write_audit(audit, found)
        if spectra is not None:
            measure_spectra(
                checkpoints, wiring, settings, spectra, scratch, report, workers=workers, see=see
            )
    return found
