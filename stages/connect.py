"""Measure the lines between the branch ends of one connection."""

from itertools import product

from specflow import paths
from specflow.device import choose_device, workers_on
from specflow.executor import run_members
from specflow.measure.connectivity import ConnectionJob, measure_connection
from specflow.params.resolve import BranchParams, ConnectParams, read_config
from specflow.params.tasks import RunParams
from specflow.stage import run_stage


def main(connection: str) -> None:
    """Measure the connection `connection`, its split points side by side."""
    branches = read_config(paths.connection_config(connection, "branch"), BranchParams)
    params = read_config(paths.connection_config(connection, "connect"), ConnectParams)
    run = read_config(paths.experiment_config(branches.experiment, "training"), RunParams)
    jobs = {
        f"{connection}/{paths.seed_name(seed)}_step{step}": ConnectionJob(
            run=run,
            params=params,
            ends={
                branch: paths.branch(connection, seed, step, branch)
                for branch in range(branches.num_branches)
            },
            target=paths.connection(connection, seed, step),
        )
        for seed, step in product(branches.trunk_seeds, branches.split_steps)
    }
    run_members(
        measure_connection,
        jobs,
        title=f"connect {connection}",
        total=sum(job.num_points for job in jobs.values()),
        workers=workers_on(choose_device()),
    )


if __name__ == "__main__":
    run_stage(main)
