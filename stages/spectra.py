"""Measure the spectra of every checkpoint of one experiment."""

from functools import partial

from specflow import paths
from specflow.config.settings import read_settings
from specflow.device import choose_device
from specflow.executor import num_workers, run_members
from specflow.measure.spectra import SpectraJob, measure_run
from specflow.scratch import Scratch
from specflow.seal import seal_of
from specflow.studies.experiments.settings import SpectraSettings


def main(experiment: str) -> None:
    """Measure the experiment `experiment`, seed by seed, its matrices side by side."""
    settings, code = read_settings("spectra", experiment, SpectraSettings)
    wiring, device = settings.model.wiring(settings.shape), choose_device()

    def job(name: str, seed: int) -> SpectraJob:
        source = paths.trajectory(experiment, seed)
        inputs = (device.type, seal_of(source))
        return SpectraJob(
            source=source,
            target=paths.spectra(experiment, seed),
            wiring=wiring,
            settings=settings.spectra,
            scratch=Scratch.of_stage(f"spectra-{name}", settings, code, *inputs),
            device=device,
        )

    names = {f"{experiment}/{paths.seed_name(seed)}": seed for seed in settings.seeds}
    jobs = {name: job(name, seed) for name, seed in names.items()}
    measure = partial(measure_run, workers=num_workers())
    total = len(jobs) * settings.num_checkpoints
    run_members(measure, jobs, title=f"spectra {experiment}", total=total, workers=1)
