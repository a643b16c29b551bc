"""Sample the final weights of one generative experiment, whole and pruned."""

from specflow import paths
from specflow.executor import run_members
from specflow.measure.sampling import SamplingJob, measure_samples
from specflow.params.resolve import read_config
from specflow.params.samples import SampleParams
from specflow.params.tasks import InterventionParams, RunParams
from specflow.stage import run_stage


def main(samples: str) -> None:
    """Make the samples `samples`."""
    params = read_config(paths.sample_config(samples), SampleParams)
    job = SamplingJob(
        params=params,
        interventions=read_config(
            paths.experiment_config(params.experiment, "prune"), InterventionParams
        ),
        run=read_config(paths.experiment_config(params.experiment, "training"), RunParams),
        source=paths.trajectory(params.experiment, params.run_seed),
        target=paths.samples(samples),
    )
    run_members(
        measure_samples,
        {samples: job},
        title=f"sample {samples}",
        total=job.num_variants,
        workers=1,
    )


if __name__ == "__main__":
    run_stage(main)
