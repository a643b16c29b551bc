"""Sample the final weights of one generative experiment, whole and pruned."""

from specflow import paths
from specflow.config.settings import read_settings
from specflow.executor import run_members
from specflow.measure.sampling import SamplingJob, measure_samples
from specflow.stage import run_stage
from specflow.studies.samples.settings import SampleSettings


def main(samples: str) -> None:
    """Make the samples `samples`."""
    settings, _ = read_settings("sample", samples, SampleSettings)
    job = SamplingJob(
        problem=settings.run,
        pruning=settings.pruning,
        num_images=settings.num_images,
        noise_seed=settings.noise_seed,
        source=paths.trajectory(settings.experiment, settings.run_seed),
        target=paths.samples(samples),
    )
    title, total = f"sample {samples}", job.num_variants
    run_members(measure_samples, {samples: job}, title=title, total=total, workers=1)


if __name__ == "__main__":
    run_stage(main)
