"""Sections of lottery tickets, and their tables: masks, histories, spectra, pruning."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import h5py
import pandas as pd

from specflow import paths
from specflow.frames import RANK, Frames, at_end, where
from specflow.hdf5 import open_file
from specflow.measure.layouts import PRUNING, SPECTRA, TICKET
from specflow.section import Section, Seeds
from specflow.studies.study import Known, Shown, Study
from specflow.studies.tables import (
    Row,
    entries_of,
    metrics,
    over,
    pruned_metrics,
    pruning_rows,
    read,
    rounded,
    spread,
    tables_of,
)
from specflow.studies.tickets.settings import CompareSettings, RetrainSettings, Ticket

_RUN = ("ticket", "seed")
_COLUMNS = {
    "tickets": ("ticket", "experiment", "kind", "density", "rewind_step"),
    "ticket_masks": (*_RUN, "matrix", "density", "masked_agreement_score"),
    "ticket_history": (*_RUN, "step", "split", "metric", "value"),
    "ticket_spectra": (*_RUN, "step", "matrix", "agreement_score", "own_agreement_score", RANK),
    "ticket_alignment": (*_RUN, "step", "pair", "alignment_score"),
    "ticket_pruning": (*_RUN, "step", "split", "keep", "keep_fraction", "metric", "value"),
}


class CollectedTicket(Ticket):
    """What is collected of a ticket: the run of every seed."""

    seeds: Seeds


class TicketParams(Study, Ticket):
    """A lottery ticket: the runs of an experiment with most of their weights held at 0."""

    collects = CollectedTicket

    def settings(self, name: str, known: Known) -> Mapping[str, Section]:
        """Return the settings of retrain and compare."""
        experiment, ticket = known.experiments[self.experiment], dict(self)
        run = experiment.run(self.experiment, known)
        samples = experiment.pruning.batch_norm_samples
        kept = [step for step in run.kept_steps if step >= self.rewind_step]
        split_steps = run.checkpoints.split_steps
        return {
            "retrain": RetrainSettings(**ticket, run=run, batch_norm_samples=samples),
            "compare": CompareSettings(
                **ticket,
                seeds=experiment.seeds,
                num_checkpoints=len(kept),
                run=experiment.problem_settings(known),
                spectra=experiment.spectra,
                pruning=experiment.pruning,
                pruned_steps=tuple(step for step in kept if step in {*split_steps, kept[-1]}),
            ),
        }

    def collected(self, name: str, known: Known, shown: Shown) -> Section:
        """Return what the tables of the ticket are made of."""
        return CollectedTicket(**dict(self), seeds=known.experiments[self.experiment].seeds)

    def problems(self, known: Known) -> list[str]:
        """Return what does not fit between the ticket and its experiment."""
        experiment = known.experiments.get(self.experiment)
        if experiment is None:
            return known.unknown("experiment", self.experiment, "experiments")
        problems = []
        if self.rewind_step not in experiment.checkpoints.split_steps:
            expected = f"expected one of {known.split_steps(self.experiment)}"
            problems.append(f"rewind_step: got {self.rewind_step}; {expected}")
        dataset = known.datasets.get(experiment.dataset)
        if dataset is not None and not experiment.problems(known):
            views = (matrix.view for matrix in experiment.wiring(dataset).inner)
            total = sum(view.rows * view.columns for view in views)
            if round(self.density * total) == 0:
                problems.append(
                    f"density: got {self.density}, which keeps none of the {total} weights of "
                    f"{self.experiment}; expected {1 / total:.1e} or more"
                )
        return problems

    @staticmethod
    def tables(entries: Mapping[str, CollectedTicket]) -> dict[str, pd.DataFrame]:
        """Return what tickets are, what masks keep, and what was measured over time.

        Agreement scores are with the source at the same step, and with the ticket's own last step.
        """
        rows = (row for name, ticket in entries.items() for row in _rows(name, ticket))
        return tables_of(_COLUMNS, rows)

    @staticmethod
    def summary(tables: Frames, names: Sequence[str]) -> dict[str, Any]:
        """Return what the metrics file says of each ticket, over seeds."""
        sources = tables["tickets"].set_index("ticket")["experiment"]
        return {
            name: _summary(tables, name, where(tables["matrices"], experiment=sources[name]))
            for name in names
        }


def _rows(name: str, ticket: CollectedTicket) -> Iterator[tuple[str, Row]]:
    yield "tickets", (name, ticket.experiment, ticket.kind, ticket.density, ticket.rewind_step)
    for seed in ticket.seeds:
        with (
            open_file(paths.ticket_measures(name, seed), TICKET) as file,
            open_file(paths.ticket_spectra(name, seed), SPECTRA) as spectra,
            open_file(paths.ticket_pruning(name, seed), PRUNING) as pruning,
        ):
            found = (_of_masks(file), _of_spectra(file, spectra), _of_metrics(file, pruning))
            for table, *row in chain(*found):
                yield table, (name, seed, *row)


def _of_masks(file: h5py.File) -> Iterator[Row]:
    for matrix, entry in entries_of(file, "matrices").items():
        about = entry.attrs
        if "density" in about:  # the last one has no mask
            kept = (float(about[key]) for key in ("density", "masked_agreement_score"))
            yield "ticket_masks", matrix, *kept


def _of_spectra(file: h5py.File, spectra: h5py.File) -> Iterator[Row]:
    steps = read(spectra, "step").tolist()
    for matrix, own in entries_of(spectra, "matrices").items():
        with_source = read(file["matrices"][matrix], "agreement_score")
        values = (with_source, read(own, "agreement_score"), read(own, RANK))
        for step, *scores in zip(steps, *values, strict=True):
            yield "ticket_spectra", step, matrix, *scores
    for pair, own in entries_of(spectra, "pairs").items():
        for step, score in zip(steps, read(own, "alignment_score"), strict=True):
            yield "ticket_alignment", step, pair, score


def _of_metrics(file: h5py.File, pruning: h5py.File) -> Iterator[Row]:
    steps = read(file, "step").tolist()
    for split, own in file["metrics"].items():
        for metric in own:
            for step, value in zip(steps, read(own, metric).tolist(), strict=True):
                yield "ticket_history", step, split, metric, value
    for table, *row in pruning_rows(pruning):
        yield f"ticket_{table}", *row


def _summary(tables: Frames, name: str, matrices: pd.DataFrame) -> dict[str, Any]:
    masks, unit = where(tables["ticket_masks"], ticket=name), ["seed"]
    entries = (matrices["rows"] * matrices["columns"]).set_axis(matrices["matrix"])
    sizes = masks["matrix"].map(entries)
    kept = (masks["density"] * sizes).groupby(masks["seed"]).sum()
    density = kept / sizes.groupby(masks["seed"]).sum()
    spectra = where(tables["ticket_spectra"], ticket=name)
    start, end = where(spectra, step=spectra["step"].min()), at_end(spectra)
    aligned, pruned = (
        at_end(where(tables[table], ticket=name))
        for table in ("ticket_alignment", "ticket_pruning")
    )
    return {
        **metrics(at_end(where(tables["ticket_history"], ticket=name)), unit),
        # the table has five digits, so that seeds differ in the fifth
        "density": spread(density.map(lambda share: rounded(share, 4))),
        "masked_agreement_score": over(masks, "masked_agreement_score", unit),
        "agreement_score": over(end, "agreement_score", unit),
        "own_agreement_score_at_start": over(start, "own_agreement_score", unit),
        RANK: over(end, RANK, unit),
        "alignment_score": over(aligned, "alignment_score", unit),
        "pruned": pruned_metrics(pruned),
    }
