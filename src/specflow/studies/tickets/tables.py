"""Tables of lottery tickets: what masks keep, histories, spectra."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import h5py
import pandas as pd

from specflow import paths
from specflow.frames import Frames, at_end, where
from specflow.hdf5 import open_file
from specflow.measure.layouts import TICKET
from specflow.studies.measures import entries_of, read
from specflow.studies.summary import Spread, metrics, over, rounded, spread
from specflow.studies.tickets.collected import Collected

_SCORES = ("agreement_score", "normalized_effective_rank")

Row = tuple[Any, ...]


def tables(entries: Mapping[str, Collected]) -> dict[str, pd.DataFrame]:
    """Return every table of tickets by name.

    Args:
        entries: Tickets by name, in the order of the rows.

    Raises:
        BrokenFileError: If a file of measures is missing or broken.
    """
    found = {}
    for table, (columns, rows_of) in _TABLES.items():
        rows = [
            (name, seed, *row)
            for name, ticket in entries.items()
            for seed in ticket.seeds
            for row in _rows(name, seed, rows_of)
        ]
        found[table] = pd.DataFrame(rows, columns=["ticket", "seed", *columns])
    about = ("experiment", "kind", "density", "rewind_step")
    declared = [(name, *(getattr(own, key) for key in about)) for name, own in entries.items()]
    return {"tickets": pd.DataFrame(declared, columns=["ticket", *about]), **found}


def summary(tables: Frames, names: Sequence[str]) -> dict[str, Any]:
    """Return what the metrics file says of each ticket, over seeds, from the tables alone."""
    sources = tables["tickets"].set_index("ticket")["experiment"]
    return {
        name: _summary(tables, name, where(tables["matrices"], experiment=sources[name]))
        for name in names
    }


def _summary(tables: Frames, name: str, matrices: pd.DataFrame) -> dict[str, Spread]:
    masks = where(tables["ticket_masks"], ticket=name)
    sizes = masks["matrix"].map(
        (matrices["rows"] * matrices["columns"]).set_axis(matrices["matrix"])
    )
    kept = (masks["density"] * sizes).groupby(masks["seed"]).sum()
    density = kept / sizes.groupby(masks["seed"]).sum()
    return {
        **metrics(at_end(where(tables["ticket_history"], ticket=name)), ["seed"]),
        # the table has five digits, so that seeds differ in the fifth
        "density": spread(density.map(lambda share: rounded(share, 4))),
        "masked_agreement_score": over(masks, "masked_agreement_score", ["seed"]),
        "agreement_score": over(
            at_end(where(tables["ticket_spectra"], ticket=name)), "agreement_score", ["seed"]
        ),
    }


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
