"""From all results to the small tables and the metrics file that git tracks."""

import json
from typing import Annotated

from pydantic import Field

from specflow import paths
from specflow.frames import Tables, write_table
from specflow.section import Name, Section, Seeds
from specflow.studies.checkpoints.tables import audit_tables, measured_checkpoints
from specflow.studies.connections.tables import CollectedConnection, connection_tables
from specflow.studies.experiments.tables import run_tables
from specflow.studies.samples.settings import Sampling
from specflow.studies.samples.tables import sample_tables
from specflow.studies.spectra import Measured, spectra_tables
from specflow.studies.summary import summarize
from specflow.studies.tickets.settings import Ticket
from specflow.studies.tickets.tables import ticket_tables
from specflow.textfiles import write_text

_Names = Annotated[tuple[str, ...], Field(strict=False)]


class Collected(Section):
    """What is collected of an experiment.

    Attributes:
        seeds: Its seeds.
        matrices: Matrices of which single singular values and diagonals go into tables.
        pairs: Labels of pairs whose diagonals go into tables.
    """

    seeds: Seeds
    matrices: _Names
    pairs: _Names


class CollectedCheckpoints(Section):
    """What is collected of checkpoints made elsewhere.

    Attributes:
        matrix: Name of the matrix whose singular values and diagonals go into tables; None means
            the middle one by depth.
        pair: Label of the pair whose diagonals do; None likewise.
    """

    matrix: str | None = None
    pair: str | None = None


class CollectSettings(Section):
    """Everything that tables are made of; names of experiments and checkpoints differ."""

    experiments: dict[Name, Collected]
    connections: dict[Name, CollectedConnection]
    tickets: dict[Name, Ticket]
    samples: dict[Name, Sampling]
    checkpoints: dict[Name, CollectedCheckpoints]


def collect(settings: CollectSettings) -> None:
    """Write every table and the metrics file.

    Args:
        settings: What to collect; results of anything else are left alone.

    Raises:
        SpecflowError: If a result is missing or broken, or a table cannot be written.
    """
    seeds = {name: own.seeds for name, own in settings.experiments.items()}
    measured = [
        Measured(
            name=name,
            files={seed: paths.spectra(name, seed) for seed in own.seeds},
            matrices=own.matrices,
            pairs=own.pairs,
        )
        for name, own in settings.experiments.items()
    ]
    measured += [
        measured_checkpoints(name, paths.checkpoints_spectra(name), own.matrix, own.pair)
        for name, own in settings.checkpoints.items()
    ]
    tables = {
        **spectra_tables(measured),
        **run_tables(seeds),
        **connection_tables(settings.connections),
        **ticket_tables(settings.tickets, seeds),
        **sample_tables(settings.samples),
        **audit_tables({name: paths.checkpoints_audit(name) for name in settings.checkpoints}),
    }
    for name, table in tables.items():
        write_table(paths.TABLES / f"{name}.csv", table)
    summary = summarize(Tables(paths.TABLES), list(settings.checkpoints))
    write_text(paths.SUMMARY, json.dumps(summary, indent=2) + "\n")
