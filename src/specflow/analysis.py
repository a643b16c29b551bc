"""Checkpoints analysed on their own: behind the command line and `specflow.analyze`."""

import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ValidationError
from torch import Tensor, nn
from tqdm import tqdm

from specflow.audit.findings import Audit
from specflow.checkpoints.base import Checkpoints
from specflow.checkpoints.files import FileCheckpoints
from specflow.checkpoints.live import LiveCheckpoints
from specflow.checkpoints.stream import contents_of
from specflow.config.code import SOURCE, code_of
from specflow.config.errors import problems_of
from specflow.errors import SpecflowError
from specflow.executor import num_workers
from specflow.frames import write_table
from specflow.measure.settings import SpectraParams
from specflow.scratch import Scratch
from specflow.studies.checkpoints.analysis import analyze_checkpoints
from specflow.studies.checkpoints.settings import ReadingParams
from specflow.studies.checkpoints.study import checkpoint_tables
from specflow.wiring import Wiring
from specflow.wiring.recognize import NoMatrixError, wiring_of

_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
SPECTRA = SpectraParams(diagonal_length=100, score_length=10, mass=0.9)

Tables = dict[str, pd.DataFrame]
Source = str | Path | Sequence[str | Path] | Mapping[str, Tensor] | nn.Module


def analyze_to(source: Source, options: Mapping[str, Any], output: Path) -> tuple[Audit, Tables]:
    """Write audit.json, spectra.h5, tables, figures and a page of checkpoints.

    A killed analysis goes on where it was when it is started again with the same output.

    Args:
        source: Files, folders or patterns, relative to the working folder; or weights in memory.
        options: How they are read, as in `ReadingParams`.
        output: Folder of all that is written; made if missing.

    Returns:
        The audit, and all tables by name.

    Raises:
        SpecflowError: If a checkpoint cannot be read as asked, or a result cannot be written.
    """
    audit, tables = _measured(source, options, output)
    for table, rows in tables.items():
        write_table(output / "tables" / f"{table}.csv", rows)
    from specflow.figures.draw import draw_checkpoints  # here, since a table alone draws nothing
    from specflow.figures.section import FiguresParams
    from specflow.report.page import write_checkpoints_page

    drawn = draw_checkpoints(output / "tables", output / "figures", FiguresParams())
    settings = {**options, "spectra": SPECTRA.model_dump(mode="json")}
    write_checkpoints_page(output, name_of(output), settings, drawn, audit.notes, audit.skipped)
    return audit, tables


def audit(source: Source, options: Mapping[str, Any]) -> Audit:
    """Return the audit of checkpoints; nothing is written. Arguments as for `analyze_to`.

    Raises:
        SpecflowError: If a checkpoint cannot be read as asked.
    """
    with tempfile.TemporaryDirectory() as folder:
        return _run(source, options, Path(folder) / "partial")


def spectra_of(source: Source, options: Mapping[str, Any], output: Path | None) -> pd.DataFrame:
    """Return ranks, norms and agreement of every matrix, a row a step and matrix.

    Arguments and errors as for `analyze_to`, which runs if there is an output.
    """
    if output is None:
        with tempfile.TemporaryDirectory() as folder:
            _, tables = _measured(source, options, Path(folder))
    else:
        _, tables = analyze_to(source, options, output)
    return tables["spectra"].drop(columns=["experiment", "seed"])


def name_of(output: Path) -> str:
    """Return what the checkpoints in a folder are called: its name in letters that names have."""
    name = re.sub(r"[^a-z0-9]+", "_", output.resolve().name.lower()).strip("_")
    return name if re.match("[a-z]", name) else f"checkpoints_{name}".strip("_")


def _measured(source: Source, options: Mapping[str, Any], output: Path) -> tuple[Audit, Tables]:
    """Write audit.json and spectra.h5; return the audit and all tables."""
    spectra, audit = output / "spectra.h5", output / "audit.json"
    found = _run(source, options, output / ".partial", audit=audit, spectra=spectra)
    return found, checkpoint_tables(name_of(output), spectra, audit)


def _run(source: Source, options: Mapping[str, Any], root: Path, **places: Path) -> Audit:
    params = _params(source, options)
    checkpoints, wiring = _opened(source, params, needed="spectra" in places)
    code = code_of(SOURCE / "studies" / "checkpoints" / "analysis.py")
    settings = (params.model_dump_json(), SPECTRA.model_dump_json())
    whole = Scratch(root)
    with whole.locked():
        total = (1 + ("spectra" in places)) * len(checkpoints.steps)
        with tqdm(total=total, desc="checkpoints", unit="step", disable=None) as bar:
            found = analyze_checkpoints(
                checkpoints,
                wiring,
                SPECTRA,
                Scratch.of(root, "steps", *settings, checkpoints.fingerprint(), repr(code)),
                bar.update,
                workers=num_workers(),
                **places,
            )
        whole.remove()
        whole.lock.unlink()  # one who waits for it finds it gone and makes another
    return found


def _params(source: Source, options: Mapping[str, Any]) -> ReadingParams:
    if isinstance(source, nn.Module | Mapping):
        files = ["memory"]
    elif isinstance(source, str | Path):
        files = [str(source)]
    elif isinstance(source, Sequence):
        files = list(map(str, source))
    else:
        kinds = "paths, patterns, a state dict or a module"
        raise SpecflowError(f"checkpoints: got {source!r}; expected {kinds}")
    raw = {"files": files, **options}
    try:
        return ReadingParams.model_validate(raw)
    except ValidationError as error:
        raise SpecflowError("; ".join(problems_of(error, ReadingParams, raw))) from error


def _opened(
    source: Source, params: ReadingParams, *, needed: bool
) -> tuple[Checkpoints, Wiring | None]:
    """Return checkpoints and their wiring; None if there is none, and none is needed.

    Raises:
        NoMatrixError: If there is none, and one is needed.
    """
    if isinstance(source, nn.Module | Mapping):
        checkpoints: Checkpoints = LiveCheckpoints(source)
        inputs_first: Sequence[str] = _inputs_first(source)
    else:
        checkpoints = FileCheckpoints(params, Path())
        inputs_first = checkpoints.transposed
    try:
        return checkpoints, wiring_of(contents_of(checkpoints).expected, params, inputs_first)
    except NoMatrixError:
        if needed:
            raise
        return checkpoints, None


def _inputs_first(source: nn.Module | Mapping[str, Tensor]) -> list[str]:
    """Return the weights of transposed convolutions; a state dict does not tell which these are."""
    modules = source.named_modules() if isinstance(source, nn.Module) else ()
    found = (name for name, module in modules if isinstance(module, _TRANSPOSED))
    return [f"{name}.weight".lstrip(".") for name in found]
