"""Train every run of one lottery ticket: its source's, masked, from the rewind step on."""

from specflow import paths
from specflow.config.settings import read_settings
from specflow.studies.tickets.settings import RetrainSettings
from specflow.training.masking import Masking
from specflow.training.runs import TrainingRun, train_runs


def main(ticket: str) -> None:
    """Train the ticket `ticket` for every seed of its experiment."""
    settings, code = read_settings("retrain", ticket, RetrainSettings)
    runs = [_run(ticket, settings, code, seed) for seed in settings.run.seeds]
    train_runs(runs, f"retrain {ticket}")


def _run(ticket: str, settings: RetrainSettings, code: str, seed: int) -> TrainingRun:
    source, step = paths.trajectory(settings.experiment, seed), settings.rewind_step
    return TrainingRun(
        name=f"{ticket}/{paths.seed_name(seed)}",
        settings=settings.run,
        seed=seed,
        order_seed=seed,
        target=paths.ticket(ticket, seed),
        kept=tuple(kept for kept in settings.run.kept_steps if kept >= step),
        code=code,
        first_step=step,
        trunk=source,
        intervention=Masking(
            source=source,
            kind=settings.kind,
            density=settings.density,
            seed=seed,
            batch_norm_samples=settings.batch_norm_samples,
        ),
    )
