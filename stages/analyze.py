"""Audit checkpoints made elsewhere, and measure their spectra."""

from pathlib import Path

from specflow import paths
from specflow.config.settings import read_settings
from specflow.executor import run_members
from specflow.scratch import Work
from specflow.studies.checkpoints.analysis import AnalysisJob, measure_checkpoints, read_checkpoints
from specflow.studies.checkpoints.settings import CheckpointsSettings


def main(name: str) -> None:
    """Analyse the checkpoints `name`, their matrices side by side; flags do not end it."""
    settings, code = read_settings("analyze", name, CheckpointsSettings)
    checkpoints, wiring = read_checkpoints(settings, Path(settings.path))
    job = AnalysisJob(
        params=settings,
        root=Path(settings.path),
        wiring=wiring,
        settings=settings.spectra,
        audit=paths.checkpoints_audit(name),
        target=paths.checkpoints_spectra(name),
        work=Work.of_stage(f"analyze-{name}", settings, code, checkpoints.fingerprint()),
    )
    title, total = f"analyze {name}", 2 * len(checkpoints.steps)
    run_members(measure_checkpoints, {name: job}, title=title, total=total, needs="machine")
