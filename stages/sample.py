"""Sample the final weights of one generative experiment, whole and pruned."""

from specflow import paths
from specflow.config.settings import read_settings
from specflow.executor import run_members
from specflow.measure.sampling import SamplingJob, measure_samples
from specflow.scratch import Work
from specflow.seal import seal_of
from specflow.studies.samples.settings import SampleSettings


def main(samples: str) -> None:
    """Make the samples `samples`."""
    settings, code = read_settings("sample", samples, SampleSettings)
    source = paths.trajectory(settings.experiment, settings.run_seed)
    job = SamplingJob(
        problem=settings.run,
        pruning=settings.pruning,
        num_images=settings.num_images,
        noise_seed=settings.noise_seed,
        source=source,
        target=paths.samples(samples),
        work=Work.of_stage(f"sample-{samples}", settings, code, seal_of(source)),
    )
    title, total = f"sample {samples}", job.num_variants
    run_members(measure_samples, {samples: job}, title=title, total=total)
