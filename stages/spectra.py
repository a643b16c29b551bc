"""Measure the spectra of every checkpoint of one experiment."""

from specflow import paths
from specflow.config.settings import read_settings
from specflow.executor import run_members
from specflow.measure.spectra import SpectraJob, measure_run
from specflow.scratch import Work
from specflow.seal import seal_of
from specflow.studies.experiments.settings import SpectraSettings


def main(experiment: str) -> None:
    """Measure the experiment `experiment`, seed by seed, its matrices side by side."""
    settings, code = read_settings("spectra", experiment, SpectraSettings)
    wiring = settings.model.wiring(settings.shape)
    jobs = {}
    for seed in settings.seeds:
        name, source = f"{experiment}/{paths.seed_name(seed)}", paths.trajectory(experiment, seed)
        jobs[name] = SpectraJob(
            source=source,
            target=paths.spectra(experiment, seed),
            wiring=wiring,
            settings=settings.spectra,
            work=Work.of_stage(f"spectra-{name}", settings, code, seal_of(source)),
        )
    title, total = f"spectra {experiment}", len(jobs) * settings.num_checkpoints
    run_members(measure_run, jobs, title=title, total=total, needs="machine")
