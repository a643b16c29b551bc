"""Evaluate every checkpoint of one experiment with a part of every spectrum removed."""

from specflow import paths
from specflow.device import choose_device, workers_on
from specflow.executor import run_members
from specflow.measure.pruning import PruningJob, measure_pruning
from specflow.params.resolve import read_config
from specflow.params.tasks import InterventionParams, RunParams
from specflow.stage import run_stage


def main(experiment: str) -> None:
    """Prune the experiment `experiment`, its seeds side by side."""
    run = read_config(paths.experiment_config(experiment, "training"), RunParams)
    params = read_config(paths.experiment_config(experiment, "prune"), InterventionParams)
    jobs = {
        f"{experiment}/{paths.seed_name(seed)}": PruningJob(
            run=run,
            params=params,
            source=paths.trajectory(experiment, seed),
            target=paths.pruning(experiment, seed),
        )
        for seed in run.seeds
    }
    run_members(
        measure_pruning,
        jobs,
        title=f"prune {experiment}",
        total=len(jobs) * len(run.kept_steps),
        workers=workers_on(choose_device()),
    )


if __name__ == "__main__":
    run_stage(main)
