"""Train every seed of one experiment and keep its checkpoints."""

from specflow import paths
from specflow.config.settings import read_settings
from specflow.training.runs import TrainingRun, train_runs
from specflow.training.settings import RunSettings


def main(experiment: str) -> None:
    """Train the experiment `experiment`."""
    settings, code = read_settings("train", experiment, RunSettings)
    runs = [
        TrainingRun(
            name=f"{experiment}/{paths.seed_name(seed)}",
            settings=settings,
            seed=seed,
            order_seed=seed,
            target=paths.trajectory(experiment, seed),
            kept=settings.kept_steps,
            code=code,
        )
        for seed in settings.seeds
    ]
    train_runs(runs, f"train {experiment}")
