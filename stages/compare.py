"""Compare every run of one lottery ticket with its source."""

from functools import partial

from specflow import paths
from specflow.executor import num_workers, run_members
from specflow.measure.tickets import TicketJob, measure_ticket
from specflow.models import wiring_of
from specflow.params.resolve import CompareParams, RetrainParams, read_config
from specflow.params.tasks import RunParams
from specflow.stage import run_stage


def main(ticket: str) -> None:
    """Compare the ticket `ticket`, seed by seed, its matrices side by side."""
    params = read_config(paths.ticket_config(ticket, "retrain"), RetrainParams)
    compared = read_config(paths.ticket_config(ticket, "compare"), CompareParams)
    run = read_config(paths.experiment_config(params.experiment, "training"), RunParams)
    jobs = {
        f"{ticket}/{paths.seed_name(seed)}": TicketJob(
            source=paths.trajectory(params.experiment, seed),
            ticket=paths.ticket(ticket, seed),
            target=paths.ticket_measures(ticket, seed),
            wiring=wiring_of(run.model, run.dataset.shape),
            kind=params.kind,
            density=params.density,
            seed=seed,
            score_length=compared.score_length,
        )
        for seed in run.seeds
    }
    run_members(
        partial(measure_ticket, workers=num_workers()),
        jobs,
        title=f"compare {ticket}",
        total=len(jobs) * sum(step >= params.rewind_step for step in run.kept_steps),
        workers=1,
    )


if __name__ == "__main__":
    run_stage(main)
