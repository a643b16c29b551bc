"""Evaluate every checkpoint of one experiment with a part of every spectrum removed."""

from specflow import paths
from specflow.config.settings import read_settings
from specflow.device import choose_device, workers_on
from specflow.executor import run_members
from specflow.measure.pruning import PruningJob, measure_pruning
from specflow.scratch import Scratch
from specflow.seal import seal_of
from specflow.studies.experiments.settings import PruneSettings


def main(experiment: str) -> None:
    """Prune the experiment `experiment`, its seeds side by side."""
    settings, code = read_settings("prune", experiment, PruneSettings)
    device = choose_device()
    jobs = {}
    for seed in settings.seeds:
        name, source = f"{experiment}/{paths.seed_name(seed)}", paths.trajectory(experiment, seed)
        inputs = (device.type, seal_of(source))
        jobs[name] = PruningJob(
            problem=settings.run,
            settings=settings.pruning,
            source=source,
            target=paths.pruning(experiment, seed),
            scratch=Scratch.of_stage(f"prune-{name}", settings, code, *inputs),
        )
    title, total = f"prune {experiment}", len(jobs) * settings.num_checkpoints
    run_members(measure_pruning, jobs, title=title, total=total, workers=workers_on(device))
