"""Compare every run of one lottery ticket with its source."""

from functools import partial

from specflow import paths
from specflow.config.settings import read_settings
from specflow.executor import num_workers, run_members
from specflow.measure.tickets import TicketJob, measure_ticket
from specflow.stage import run_stage
from specflow.studies.tickets.settings import CompareSettings


def main(ticket: str) -> None:
    """Compare the ticket `ticket`, seed by seed, its matrices side by side."""
    settings, _ = read_settings("compare", ticket, CompareSettings)
    jobs = {
        f"{ticket}/{paths.seed_name(seed)}": TicketJob(
            source=paths.trajectory(settings.experiment, seed),
            ticket=paths.ticket(ticket, seed),
            target=paths.ticket_measures(ticket, seed),
            wiring=settings.model.wiring(settings.shape),
            kind=settings.kind,
            density=settings.density,
            seed=seed,
            score_length=settings.score_length,
        )
        for seed in settings.seeds
    }
    compare = partial(measure_ticket, workers=num_workers())
    total = len(jobs) * settings.num_checkpoints
    run_members(compare, jobs, title=f"compare {ticket}", total=total, workers=1)


if __name__ == "__main__":
    run_stage(main)
