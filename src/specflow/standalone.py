"""Checkpoints analysed without DVC and params.yaml: behind the command line and `analyze`."""

import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from glob import escape
from pathlib import Path

from pydantic import ValidationError

from specflow.errors import SpecflowError
from specflow.executor import Report, num_workers, run_members
from specflow.hdf5 import open_file
from specflow.layouts import TRAJECTORY
from specflow.models import wiring_of
from specflow.params.errors import problems_of
from specflow.params.suites import SuiteParams
from specflow.params.tasks import RunParams, SpectraParams
from specflow.section import Seeds
from specflow.suite_results import Audit
from specflow.suites.partial import Partial
from specflow.suites.run import SuiteJob, open_job, run_suite
from specflow.suites.sources import find_steps
from specflow.tables.reading import Table, Tables
from specflow.tables.suites import SuitePlaces, write_suite_tables

SPECTRA = SpectraParams(diagonal_length=100, score_length=10, mass=0.9)

Paths = str | Path | Sequence[str | Path]


@dataclass(frozen=True)
class Reading:
    """How checkpoints are read; each as in `SuiteParams`."""

    step_from: str | None = None
    key: str | None = None
    layout: str = "auto"
    num_heads: int | None = None
    include: Sequence[str] = ("*",)
    exclude: Sequence[str] = ()
    transposed: Sequence[str] = ()

    def params(self, checkpoints: Paths) -> SuiteParams:
        """Return the params of a suite.

        Args:
            checkpoints: Files, folders or patterns.

        Raises:
            SpecflowError: If an option has no valid value.
        """
        single = isinstance(checkpoints, str | Path)
        files = [checkpoints] if single else list(checkpoints)  # type: ignore[arg-type]
        raw = {"files": [str(file) for file in files], "spectra": SPECTRA, **vars(self)}
        try:
            return SuiteParams.model_validate(raw)
        except ValidationError as error:
            raise SpecflowError("; ".join(problems_of(error, SuiteParams, raw, ""))) from error


def analyze_checkpoints(
    checkpoints: Paths, reading: Reading, output: Path, *, page: bool = True
) -> Audit:
    """Write audit.json, suite.h5, tables, figures and a page of checkpoints.

    A killed analysis goes on where it was when it is started again with the same output.

    Args:
        checkpoints: Files, folders or patterns, relative to the working folder.
        reading: How they are read.
        output: Folder of all that is written; made if missing.
        page: Whether figures and the page are wanted.

    Returns:
        The audit.

    Raises:
        SpecflowError: If a checkpoint cannot be read as asked, or a result cannot be written.
    """
    places = SuitePlaces(output / "suite.h5", output / "audit.json")
    partial = output / ".partial"
    audit = _run(checkpoints, reading, places, partial)
    name = suite_name(output)
    write_suite_tables(output / "tables", {name: places})
    if page:
        from specflow.figures.draw import draw_suites  # here, since a table alone draws nothing
        from specflow.params.figures import FiguresParams
        from specflow.report.suite_page import write_suite_page

        drawn = draw_suites(output / "tables", output / "figures", FiguresParams())
        write_suite_page(output, name, audit, drawn)
    return audit


def audit_checkpoints(checkpoints: Paths, reading: Reading) -> Audit:
    """Return the audit of checkpoints; nothing is written.

    Args:
        checkpoints: Files, folders or patterns, relative to the working folder.
        reading: How they are read.

    Raises:
        SpecflowError: If a checkpoint cannot be read as asked.
    """
    with tempfile.TemporaryDirectory() as folder:
        return _run(checkpoints, reading, None, Path(folder) / "partial")


def spectra_table(checkpoints: Paths, reading: Reading, output: Path | None) -> Table:
    """Return ranks, norms and agreement of every matrix at every step.

    Args:
        checkpoints: Files, folders or patterns, relative to the working folder.
        reading: How they are read.
        output: Where results are kept, as `analyze_checkpoints` writes them; None keeps none.

    Returns:
        A row a step and matrix.

    Raises:
        SpecflowError: If a checkpoint cannot be read as asked, or a result cannot be written.
    """
    if output is not None:
        analyze_checkpoints(checkpoints, reading, output)
        return Tables(output / "tables")["suite_spectra"]
    with tempfile.TemporaryDirectory() as folder:
        analyze_checkpoints(checkpoints, reading, Path(folder), page=False)
        return Tables(Path(folder) / "tables")["suite_spectra"]


def suite_name(output: Path) -> str:
    """Return what the suite in a folder is called: the folder's name in letters that names have."""
    name = re.sub(r"[^a-z0-9]+", "_", output.resolve().name.lower()).strip("_")
    return name if re.match("[a-z]", name) else f"suite_{name}".strip("_")


def _run(checkpoints: Paths, reading: Reading, places: SuitePlaces | None, scratch: Path) -> Audit:
    spectra, audit = (places.spectra, places.audit) if places else (None, None)
    params = _with_own_transposed(reading.params(checkpoints))
    job = SuiteJob(params, Path(), spectra, audit, scratch)
    suite, found = open_job(job), []

    def run(job: SuiteJob, report: Report) -> None:
        whole = Partial(job.scratch)
        with whole.locked():
            found.append(run_suite(job, suite, report, num_workers()))
            whole.remove()
            whole.lock.unlink()  # one who waits for it finds it gone and makes another

    total = (2 if places else 1) * len(suite.steps)
    run_members(run, {"suite": job}, title="suite", total=total, workers=1)
    return found[0]


class _KeptRun(RunParams):
    """A run as trajectories keep it: of one seed, which is not among its params."""

    seeds: Seeds = (0,)


def _with_own_transposed(params: SuiteParams) -> SuiteParams:
    """Return params with what specflow's own trajectories keep with inputs first added."""
    steps = find_steps(params, Path())
    trajectories = dict.fromkeys(step.path for step in steps if step.index is not None)
    names = [escape(name) for path in trajectories for name in _own_transposed(path)]
    transposed = tuple(dict.fromkeys((*params.transposed, *names)))
    return params.model_copy(update={"transposed": transposed})


def _own_transposed(path: Path) -> Iterator[str]:
    """Yield the parameters of a trajectory whose inputs come first, as its config tells."""
    with open_file(path, TRAJECTORY) as file:
        config = str(file.attrs.get("config"))
    try:
        run = _KeptRun.model_validate_json(config)
    except ValidationError:
        known = "inputs come first where `transposed` says so, nowhere else"
        print(f"{path}: its config is not of this version: {known}", file=sys.stderr)
        return
    for matrix in wiring_of(run.model, run.dataset.shape).matrices:
        if matrix.view.transposed:
            yield matrix.view.parameter
