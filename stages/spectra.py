"""Measure the spectra of every checkpoint of one experiment."""

from functools import partial

from specflow import paths
from specflow.checkpoints.kept_steps import TrajectoryCheckpoints
from specflow.config.settings import read_settings
from specflow.device import choose_device
from specflow.executor import Report, num_workers, run_members
from specflow.measure.spectra import measure_spectra
from specflow.scratch import Scratch
from specflow.seal import seal_of
from specflow.studies.experiments.settings import SpectraSettings


def main(experiment: str) -> None:
    """Measure the experiment `experiment`, seed by seed, its matrices side by side."""
    settings, code = read_settings("spectra", experiment, SpectraSettings)
    wiring, device = settings.model.wiring(settings.shape), choose_device()
    jobs = {f"{experiment}/{paths.seed_name(seed)}": seed for seed in settings.seeds}

    def measure(seed: int, report: Report) -> None:
        source, target = paths.trajectory(experiment, seed), paths.spectra(experiment, seed)
        name = f"spectra-{experiment}/{paths.seed_name(seed)}"
        scratch = Scratch.of_stage(name, settings, code, device.type, seal_of(source))
        make = partial(
            measure_spectra,
            TrajectoryCheckpoints(source),
            wiring,
            settings.spectra,
            target,
            scratch,
            report,
            workers=num_workers(),
            device=device,
            strict=True,
        )
        scratch.make(target, make)

    total = len(jobs) * settings.num_checkpoints
    run_members(measure, jobs, title=f"spectra {experiment}", total=total, workers=1)
