"""Tables of lottery tickets: what masks keep, histories, spectra."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import h5py
import pandas as pd

from specflow import paths
from specflow.hdf5 import open_file
from specflow.measure.layouts import TICKET
from specflow.studies.measures import entries_of, read
from specflow.studies.tickets.settings import Ticket

_SCORES = ("agreement_score", "normalized_effective_rank")

Row = tuple[Any, ...]


def ticket_tables(
    tickets: Mapping[str, Ticket], seeds: Mapping[str, Sequence[int]]
) -> dict[str, pd.DataFrame]:
    """Return every table of tickets by name.

    Args:
        tickets: By name, in the order of the rows.
        seeds: Seeds of the experiments that they start from, by name.

    Raises:
        BrokenFileError: If a file of measures is missing or broken.
    """
    tables = {}
    for table, (columns, rows_of) in _TABLES.items():
        rows = [
            (name, seed, *row)
            for name, ticket in tickets.items()
            for seed in seeds[ticket.experiment]
            for row in _rows(name, seed, rows_of)
        ]
        tables[table] = pd.DataFrame(rows, columns=["ticket", "seed", *columns])
    about = ("experiment", "kind", "density", "rewind_step")
    declared = [(name, *(getattr(own, key) for key in about)) for name, own in tickets.items()]
    return {"tickets": pd.DataFrame(declared, columns=["ticket", *about]), **tables}


def _rows(ticket: str, seed: int, rows_of: Callable[[h5py.File], Iterator[Row]]) -> Iterator[Row]:
    with open_file(paths.ticket_measures(ticket, seed), TICKET) as file:
        yield from rows_of(file)


def _masks(file: h5py.File) -> Iterator[Row]:
    """Yield what the mask keeps of every matrix that has one."""
    for matrix, entry in entries_of(file, "matrices").items():
        if "density" in entry.attrs:
            yield (
                matrix,
                *(float(entry.attrs[key]) for key in ("density", "masked_agreement_score")),
            )


def _history(file: h5py.File) -> Iterator[Row]:
    steps = read(file, "step").tolist()
    for split in file["metrics"]:
        for metric in file["metrics"][split]:
            values = read(file, f"metrics/{split}/{metric}").tolist()
            for step, value in zip(steps, values, strict=True):
                yield (step, split, metric, value)


def _spectra(file: h5py.File) -> Iterator[Row]:
    steps = read(file, "step").tolist()
    for matrix, entry in entries_of(file, "matrices").items():
        values = (read(entry, score).tolist() for score in _SCORES)
        for step, *row in zip(steps, *values, strict=True):
            yield (step, matrix, *row)


_TABLES: dict[str, tuple[tuple[str, ...], Callable[[h5py.File], Iterator[Row]]]] = {
    "ticket_masks": (("matrix", "density", "masked_agreement_score"), _masks),
    "ticket_history": (("step", "split", "metric", "value"), _history),
    "ticket_spectra": (("step", "matrix", *_SCORES), _spectra),
}
