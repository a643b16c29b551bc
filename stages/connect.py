"""Measure the paths between the endpoints of one connection."""

from specflow import paths
from specflow.config.settings import read_settings
from specflow.executor import run_members
from specflow.measure.connectivity import ConnectionJob, measure_connection
from specflow.scratch import Work
from specflow.seal import seal_of
from specflow.studies.connections.settings import ConnectSettings, path_groups_of


def main(connection: str) -> None:
    """Measure the connection `connection`, its groups of paths side by side."""
    settings, code = read_settings("connect", connection, ConnectSettings)
    jobs = {}
    for group in path_groups_of(settings, settings.across_trunks):
        name = f"{connection}/{paths.split_name(*group.split_point)}"
        endpoints = {
            path: (paths.branch(connection, *start), paths.branch(connection, *end))
            for path, (start, end) in group.endpoints.items()
        }
        states = (seal_of(file) for both in endpoints.values() for file in both)
        jobs[name] = ConnectionJob(
            problem=settings.run,
            num_points=settings.num_points,
            pruning=settings.pruning,
            spectra=settings.spectra,
            endpoints=endpoints,
            target=paths.connection(connection, *group.split_point),
            work=Work.of_stage(f"connect-{name}", settings, code, *states),
        )
    title, total = f"connect {connection}", sum(job.total_points for job in jobs.values())
    run_members(measure_connection, jobs, title=title, total=total)
