"""Measure the spectra of every checkpoint of one experiment."""

from functools import partial

from specflow import paths
from specflow.executor import num_workers, run_members
from specflow.measure.spectra import SpectraJob, measure_spectra
from specflow.models import wiring_of
from specflow.params.resolve import read_config
from specflow.params.tasks import RunParams, SpectraParams
from specflow.stage import run_stage


def main(experiment: str) -> None:
    """Measure the experiment `experiment`, seed by seed, its matrices side by side."""
    run = read_config(paths.experiment_config(experiment, "training"), RunParams)
    params = read_config(paths.experiment_config(experiment, "spectra"), SpectraParams)
    jobs = {
        f"{experiment}/{paths.seed_name(seed)}": SpectraJob(
            source=paths.trajectory(experiment, seed),
            target=paths.spectra(experiment, seed),
            wiring=wiring_of(run.model, run.dataset.shape),
            params=params,
        )
        for seed in run.seeds
    }
    run_members(
        partial(measure_spectra, workers=num_workers()),
        jobs,
        title=f"spectra {experiment}",
        total=len(jobs) * len(run.kept_steps),
        workers=1,
    )


if __name__ == "__main__":
    run_stage(main)
