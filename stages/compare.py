"""Compare every run of one lottery ticket with its source."""

from functools import partial

from specflow import paths
from specflow.config.settings import read_settings
from specflow.device import choose_device
from specflow.executor import num_workers, run_members
from specflow.measure.tickets import TicketJob, measure_ticket
from specflow.scratch import Scratch, state_of
from specflow.stage import run_stage
from specflow.studies.tickets.settings import CompareSettings


def main(ticket: str) -> None:
    """Compare the ticket `ticket`, seed by seed, its matrices side by side."""
    settings, code = read_settings("compare", ticket, CompareSettings)
    device, jobs = choose_device(), {}
    for seed in settings.seeds:
        name = f"{ticket}/{paths.seed_name(seed)}"
        both = paths.trajectory(settings.experiment, seed), paths.ticket(ticket, seed)
        inputs = (device.type, *map(state_of, both))
        jobs[name] = TicketJob(
            source=both[0],
            ticket=both[1],
            target=paths.ticket_measures(ticket, seed),
            wiring=settings.model.wiring(settings.shape),
            kind=settings.kind,
            density=settings.density,
            seed=seed,
            score_length=settings.score_length,
            scratch=Scratch.of_stage(f"compare-{name}", settings, code, *inputs),
        )
    compare = partial(measure_ticket, workers=num_workers())
    total = len(jobs) * settings.num_checkpoints
    run_members(compare, jobs, title=f"compare {ticket}", total=total, workers=1)


if __name__ == "__main__":
    run_stage(main)
