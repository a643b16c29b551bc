"""Measure every run of one lottery ticket: beside its source, and by itself as other runs are."""

from functools import partial

from specflow import paths
from specflow.config.settings import read_settings
from specflow.device import choose_device, workers_on
from specflow.executor import num_workers, run_members
from specflow.measure.pruning import PruningJob, measure_pruning
from specflow.measure.spectra import SpectraJob, measure_run
from specflow.measure.tickets import TicketJob, measure_ticket
from specflow.scratch import Scratch
from specflow.seal import seal_of
from specflow.studies.tickets.settings import CompareSettings


def main(ticket: str) -> None:
    """Measure the ticket `ticket`, seed by seed; prunings, which take longest, side by side."""
    settings, code = read_settings("compare", ticket, CompareSettings)
    wiring, device = settings.run.model.wiring(settings.run.shape), choose_device()

    def scratch(what: str, seed: int) -> Scratch:
        both = paths.trajectory(settings.experiment, seed), paths.ticket(ticket, seed)
        name = f"{what}-{ticket}/{paths.seed_name(seed)}"
        return Scratch.of_stage(name, settings, code, device.type, *map(seal_of, both))

    seeds = {f"{ticket}/{paths.seed_name(seed)}": seed for seed in settings.seeds}
    compared = {
        name: TicketJob(
            source=paths.trajectory(settings.experiment, seed),
            ticket=paths.ticket(ticket, seed),
            target=paths.ticket_measures(ticket, seed),
            wiring=wiring,
            kind=settings.kind,
            density=settings.density,
            seed=seed,
            score_length=settings.spectra.score_length,
            scratch=scratch("compare", seed),
        )
        for name, seed in seeds.items()
    }
    measured = {
        name: SpectraJob(
            source=paths.ticket(ticket, seed),
            target=paths.ticket_spectra(ticket, seed),
            wiring=wiring,
            settings=settings.spectra,
            scratch=scratch("ticket-spectra", seed),
            device=device,
        )
        for name, seed in seeds.items()
    }
    total = len(seeds) * settings.num_checkpoints
    compare = partial(measure_ticket, workers=num_workers())
    measure = partial(measure_run, workers=num_workers())
    run_members(compare, compared, title=f"compare {ticket}", total=total, workers=1)
    run_members(measure, measured, title=f"spectra {ticket}", total=total, workers=1)
    pruned = {
        name: PruningJob(
            problem=settings.run,
            settings=settings.pruning,
            source=paths.ticket(ticket, seed),
            target=paths.ticket_pruning(ticket, seed),
            scratch=scratch("ticket-prune", seed),
            steps=settings.pruned_steps,
        )
        for name, seed in seeds.items()
    }
    total, workers = len(pruned) * len(settings.pruned_steps), workers_on(device)
    run_members(measure_pruning, pruned, title=f"prune {ticket}", total=total, workers=workers)
