"""Measure the lines between the branch ends of one connection."""

from specflow import paths
from specflow.device import choose_device, workers_on
from specflow.executor import run_members
from specflow.lines import line_groups_of
from specflow.measure.connectivity import ConnectionJob, measure_connection
from specflow.params.resolve import BranchParams, ConnectParams, read_config
from specflow.params.tasks import RunParams
from specflow.stage import run_stage


def main(connection: str) -> None:
    """Measure the connection `connection`, its groups of lines side by side."""
    branches = read_config(paths.connection_config(connection, "branch"), BranchParams)
    params = read_config(paths.connection_config(connection, "connect"), ConnectParams)
    run = read_config(paths.experiment_config(branches.experiment, "training"), RunParams)
    jobs = {}
    for group in line_groups_of(branches, params.across_trunks):
        point = (group.trunks, group.split_step, group.scale)
        jobs[f"{connection}/{paths.split_name(*point)}"] = ConnectionJob(
            run=run,
            params=params,
            lines={
                name: (paths.branch(connection, *first), paths.branch(connection, *second))
                for name, (first, second) in group.lines.items()
            },
            target=paths.connection(connection, *point),
        )
    run_members(
        measure_connection,
        jobs,
        title=f"connect {connection}",
        total=sum(job.num_points for job in jobs.values()),
        workers=workers_on(choose_device()),
    )


if __name__ == "__main__":
    run_stage(main)
