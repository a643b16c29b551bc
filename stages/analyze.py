"""Audit checkpoints made elsewhere, and measure their spectra."""

from pathlib import Path

from specflow import paths
from specflow.config.settings import read_settings
from specflow.executor import Report, Slot, num_workers, run_in_slots
from specflow.scratch import Work
from specflow.studies.checkpoints.analysis import analyze_checkpoints, read_checkpoints
from specflow.studies.checkpoints.settings import CheckpointsSettings


def main(name: str) -> None:
    """Analyse the checkpoints `name`, steps or matrices side by side; flags do not end it."""
    settings, code = read_settings("analyze", name, CheckpointsSettings)
    checkpoints, wiring = read_checkpoints(settings, Path(settings.path))
    work = Work.of_stage(f"analyze-{name}", settings, code, checkpoints.fingerprint())
    slot = Slot(num_workers())

    def analyze(name: str, report: Report) -> None:
        analyze_checkpoints(
            checkpoints,
            wiring,
            settings.spectra,
            work.scratch(),
            report,
            workers=slot.workers,
            audit=paths.checkpoints_audit(name),
            spectra=paths.checkpoints_spectra(name),
        )

    total = 2 * len(checkpoints.steps)
    run_in_slots([slot], analyze, {name: name}, title=f"analyze {name}", total=total)
