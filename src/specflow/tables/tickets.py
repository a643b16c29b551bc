"""Rows of the tables about lottery tickets: what masks keep, histories, spectra."""

from collections.abc import Callable, Iterator
from pathlib import Path

import h5py

from specflow import paths
from specflow.hdf5 import open_file
from specflow.layouts import TICKET
from specflow.params.resolve import CollectParams
from specflow.tables.runs import Row, by_depth, times_of
from specflow.tables.writing import write_table

_TIME = ("step", "epoch")
_SCORES = ("agreement_score", "normalized_effective_rank")


def write_ticket_tables(folder: Path, params: CollectParams) -> None:
    """Write every table about tickets.

    Args:
        folder: Where to.
        params: The tickets, and the seeds of the experiments that they start from.
    """
    runs = [
        (name, seed)
        for name, ticket in params.tickets.items()
        for seed in params.experiments[ticket.experiment].seeds
    ]
    each_run: dict[str, tuple[tuple[str, ...], Callable[[h5py.File], Iterator[Row]]]] = {
        "ticket_masks": (("matrix", "density", "masked_agreement_score"), _masks),
        "ticket_history": ((*_TIME, "split", "metric", "value"), _history),
        "ticket_spectra": ((*_TIME, "matrix", *_SCORES), _spectra),
    }
    for name, (columns, rows_of) in each_run.items():
        rows = (row for run in runs for row in _each_row(*run, rows_of))
        write_table(folder / f"{name}.csv", ("ticket", "seed", *columns), rows)
    tickets = (
        (name, ticket.experiment, ticket.kind, ticket.density, ticket.rewind_step)
        for name, ticket in params.tickets.items()
    )
    columns = ("ticket", "experiment", "kind", "density", "rewind_step")
    write_table(folder / "tickets.csv", columns, tickets)


def _each_row(
    ticket: str, seed: int, rows_of: Callable[[h5py.File], Iterator[Row]]
) -> Iterator[Row]:
    with open_file(paths.ticket_measures(ticket, seed), TICKET) as file:
        for row in rows_of(file):
            yield (ticket, seed, *row)


def _masks(file: h5py.File) -> Iterator[Row]:
    """Yield what the mask keeps of every matrix that has one."""
    for matrix in by_depth(file["matrices"]):
        about = file["matrices"][matrix].attrs
        if "density" in about:
            yield (matrix, float(about["density"]), float(about["masked_agreement_score"]))


def _history(file: h5py.File) -> Iterator[Row]:
    times = times_of(file)
    for split in file["metrics"]:
        for metric, values in file["metrics"][split].items():
            for time, value in zip(times, values[:].tolist(), strict=True):
                yield (*time, split, metric, value)


def _spectra(file: h5py.File) -> Iterator[Row]:
    times = times_of(file)
    for matrix in by_depth(file["matrices"]):
        values = [file["matrices"][matrix][score][:].tolist() for score in _SCORES]
        for time, row in zip(times, zip(*values, strict=True), strict=True):
            yield (*time, matrix, *row)
