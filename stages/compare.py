"""Measure every run of one lottery ticket: beside its source, and by itself as other runs are."""

from specflow import paths
from specflow.config.settings import read_settings
from specflow.executor import run_members
from specflow.measure.pruning import PruningJob, measure_pruning
from specflow.measure.spectra import SpectraJob, measure_run
from specflow.measure.tickets import TicketJob, measure_ticket
from specflow.scratch import Work
from specflow.seal import seal_of
from specflow.studies.tickets.settings import CompareSettings


def main(ticket: str) -> None:
    """Measure the ticket `ticket`, seed by seed; prunings, which take longest, side by side."""
    settings, code = read_settings("compare", ticket, CompareSettings)
    wiring = settings.run.model.wiring(settings.run.shape)

    def work(what: str, seed: int) -> Work:
        both = paths.trajectory(settings.experiment, seed), paths.ticket(ticket, seed)
        name = f"{what}-{ticket}/{paths.seed_name(seed)}"
        return Work.of_stage(name, settings, code, *map(seal_of, both))

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
            work=work("compare", seed),
        )
        for name, seed in seeds.items()
    }
    measured = {
        name: SpectraJob(
            source=paths.ticket(ticket, seed),
            target=paths.ticket_spectra(ticket, seed),
            wiring=wiring,
            settings=settings.spectra,
            work=work("ticket-spectra", seed),
        )
        for name, seed in seeds.items()
    }
    total = len(seeds) * settings.num_checkpoints
    title = f"compare {ticket}"
    run_members(measure_ticket, compared, title=title, total=total, needs="machine")
    title = f"spectra {ticket}"
    run_members(measure_run, measured, title=title, total=total, needs="machine")
    pruned = {
        name: PruningJob(
            problem=settings.run,
            settings=settings.pruning,
            source=paths.ticket(ticket, seed),
            target=paths.ticket_pruning(ticket, seed),
            work=work("ticket-prune", seed),
            steps=settings.pruned_steps,
        )
        for name, seed in seeds.items()
    }
    title, total = f"prune {ticket}", len(pruned) * len(settings.pruned_steps)
    run_members(measure_pruning, pruned, title=title, total=total)
