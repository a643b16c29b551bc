"""Measure the spectra of every checkpoint of one experiment."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from specflow import paths
from specflow.checkpoints.kept_steps import TrajectoryCheckpoints
from specflow.config.settings import read_settings
from specflow.device import choose_device
from specflow.executor import Report, num_workers, run_members
from specflow.measure.spectra import measure_spectra
from specflow.scratch import Scratch, state_of
from specflow.stage import run_stage
from specflow.studies.experiments.settings import SpectraSettings


@dataclass(frozen=True)
class _Job:
    source: Path
    target: Path
    scratch: Scratch


def main(experiment: str) -> None:
    """Measure the experiment `experiment`, seed by seed, its matrices side by side."""
    settings, code = read_settings("spectra", experiment, SpectraSettings)
    jobs = {}
    for seed in settings.seeds:
        name, source = f"{experiment}/{paths.seed_name(seed)}", paths.trajectory(experiment, seed)
        parts = (settings.model_dump_json(), code, choose_device().type, state_of(source))
        scratch = Scratch.of(paths.scratch_root(), f"spectra-{name}", *parts)
        jobs[name] = _Job(source, paths.spectra(experiment, seed), scratch)
    run_members(
        partial(_measure, settings),
        jobs,
        title=f"spectra {experiment}",
        total=len(jobs) * settings.num_checkpoints,
        workers=1,
    )


def _measure(settings: SpectraSettings, job: _Job, report: Report) -> None:
    with job.scratch.locked():
        measure_spectra(
            TrajectoryCheckpoints(job.source),
            settings.model.wiring(settings.shape),
            settings.spectra,
            job.target,
            job.scratch,
            report,
            workers=num_workers(),
            device=choose_device(),
            strict=True,
        )
        job.scratch.remove()


if __name__ == "__main__":
    run_stage(main)
