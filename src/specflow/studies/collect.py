"""From all results to the small tables and the metrics file that git tracks."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from pydantic import JsonValue

from specflow import paths
from specflow.frames import Frames, Tables, write_table
from specflow.json_files import write_json
from specflow.section import Name, Section
from specflow.studies.study import kinds_of_studies
from specflow.studies.tables import stacked


class CollectSettings(Section):
    """What is collected of every entry, by kind of experiment and name."""

    entries: dict[Name, dict[Name, dict[str, JsonValue]]]


def collect(settings: CollectSettings) -> None:
    """Write every table and the metrics file; results of what is not collected are left alone.

    Raises:
        SpecflowError: If a result is missing or broken, or a table cannot be written.
    """
    for name, table in _tables(settings).items():
        write_table(paths.TABLES / f"{name}.csv", table)
    names = {kind: list(entries) for kind, entries in settings.entries.items()}
    summary = summarize(Tables(paths.TABLES), names)
    write_json(paths.SUMMARY, summary)


def _tables(settings: CollectSettings) -> dict[str, pd.DataFrame]:
    """Return all tables; what several kinds have rows of is one table, experiments first."""
    frames = defaultdict(list)
    for kind in sorted(settings.entries, key=lambda kind: (kind != "experiments", kind)):
        study = kinds_of_studies()[kind]
        entries = {
            name: study.collects.model_validate_json(json.dumps(own))
            for name, own in settings.entries[kind].items()
        }
        for name, table in study.tables(entries).items():
            frames[name].append(table)
    return {
        name: stacked(list(dict.fromkeys(column for one in rows for column in one)), rows)
        for name, rows in frames.items()
    }


def summarize(tables: Frames, names: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return the metrics file's content, computed from the tables as they were written.

    Nested by kind, name (of the names of each kind), quantity, then mean and std, see
    `specflow.studies.tables`.
    """
    kinds = kinds_of_studies()
    found = {kind: kinds[kind].summary(tables, own) for kind, own in names.items()}
    return {kind: summary for kind, summary in found.items() if summary is not None}
