"""From checkpoints to results: the audit, then the spectra, over any number of kills."""

from dataclasses import dataclass
from pathlib import Path

from specflow.params.suites import SuiteParams
from specflow.suite_results import Audit, write_audit
from specflow.suites.audit import audit_suite
from specflow.suites.partial import partial_of
from specflow.suites.suite import Suite, open_suite

from specflow.executor import Report
from specflow.suites.analysis import analyze_suite


@dataclass(frozen=True)
class SuiteJob:
    """A suite to be analysed.

    Attributes:
        params: What to read and how.
        root: Folder that relative paths start from.
        spectra: Place of the measures; None for an audit alone.
        audit: Place of the audit; None to keep it from disk.
        scratch: Folder of partial results.
    """

    params: SuiteParams
    root: Path
    spectra: Path | None
    audit: Path | None
    scratch: Path


def open_job(job: SuiteJob) -> Suite:
    """Return the suite of a job, which tells the number of steps.

    Raises:
        SuiteError: If a file is broken, or a name or a shape does not fit the layout.
    """
    return open_suite(job.params, job.root)


def run_suite(job: SuiteJob, suite: Suite, report: Report, workers: int) -> Audit:
    """Audit a suite, then analyse it; flags end neither.

    Args:
        job: The suite and the places of its results.
        suite: What `open_job` returned.
        report: Called with 1 after each step that was audited, and each that was analysed.
        workers: Threads, one matrix each.

    Returns:
        The audit.

    Raises:
        SpecflowError: If a file is broken, a decomposition does not converge, or the disk is full.
    """
    partial = partial_of(suite, job.scratch)
    with partial.locked():
        audit = audit_suite(suite, partial, report, workers)
        if job.audit is not None:
            write_audit(job.audit, audit)
        if job.spectra is not None:
            analyze_suite(suite, partial, job.spectra, report, workers)
        partial.remove()
    return audit
