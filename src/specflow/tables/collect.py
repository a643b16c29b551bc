"""From all results to the small tables and the metrics file that git tracks."""

import json

from specflow import paths
from specflow.params.resolve import CollectParams
from specflow.tables.connections import write_connection_tables
from specflow.tables.growth import write_growth_tables
from specflow.tables.reading import Tables
from specflow.tables.runs import write_run_tables
from specflow.tables.samples import write_sample_table
from specflow.tables.suites import SuitePlaces, write_suite_tables
from specflow.tables.summary import summarize
from specflow.tables.tickets import write_ticket_tables
from specflow.textfiles import write_text


def collect(params: CollectParams) -> None:
    """Write every table and the metrics file.

    Args:
        params: What to collect; results of anything else are left alone.

    Raises:
        SpecflowError: If a result is missing or broken, or a table cannot be written.
    """
    write_run_tables(paths.TABLES, params)
    write_growth_tables(paths.TABLES, params)
    write_connection_tables(paths.TABLES, params)
    write_ticket_tables(paths.TABLES, params)
    write_sample_table(paths.TABLES, params)
    suites = {
        name: SuitePlaces(paths.suite_spectra(name), paths.suite_audit(name), entry.matrix)
        for name, entry in params.suites.items()
    }
    write_suite_tables(paths.TABLES, suites)
    summary = summarize(Tables(paths.TABLES), params)
    write_text(paths.SUMMARY, json.dumps(summary, indent=2) + "\n")
