"""Evaluate every checkpoint of one experiment with a part of every spectrum removed."""

from specflow import paths
from specflow.config.settings import read_settings
from specflow.executor import run_members
from specflow.measure.pruning import PruningJob, measure_pruning
from specflow.scratch import Work
from specflow.seal import seal_of
from specflow.studies.experiments.settings import PruneSettings


def main(experiment: str) -> None:
    """Prune the experiment `experiment`, its seeds side by side."""
    settings, code = read_settings("prune", experiment, PruneSettings)
    jobs = {}
    for seed in settings.seeds:
        name, source = f"{experiment}/{paths.seed_name(seed)}", paths.trajectory(experiment, seed)
        jobs[name] = PruningJob(
            problem=settings.run,
            settings=settings.pruning,
            source=source,
            target=paths.pruning(experiment, seed),
            work=Work.of_stage(f"prune-{name}", settings, code, seal_of(source)),
        )
    title, total = f"prune {experiment}", len(jobs) * settings.num_checkpoints
    run_members(measure_pruning, jobs, title=title, total=total)
