"""Audit one suite of checkpoints made elsewhere, and measure its spectra."""

from pathlib import Path

from specflow import paths
from specflow.executor import Report, num_workers, run_members
from specflow.params.declared_suites import DeclaredSuite
from specflow.params.resolve import read_config
from specflow.stage import run_stage
from specflow.suites.run import SuiteJob, open_job, run_suite


def main(name: str) -> None:
    """Analyse the suite `name`, step by step, its matrices side by side; flags do not end it."""
    params = read_config(paths.suite_config(name), DeclaredSuite)
    job = SuiteJob(
        params=params,
        root=Path(params.path),
        spectra=paths.suite_spectra(name),
        audit=paths.suite_audit(name),
        scratch=paths.scratch_root(),
    )
    suite = open_job(job)

    def run(job: SuiteJob, report: Report) -> None:
        run_suite(job, suite, report, num_workers())

    total = 2 * len(suite.steps)
    run_members(run, {name: job}, title=f"suite {name}", total=total, workers=1)


if __name__ == "__main__":
    run_stage(main)
