"""What the figures of connections share: the unit of their spread, and their axis of time."""

from specflow.figures.timeline import Timeline
from specflow.params.figures import FiguresParams
from specflow.tables.reading import Tables

# Means and deviations are over trunks and pairs of branches.
UNIT = ("trunks", "branches")


def experiment_of(tables: Tables, connection: str) -> str:
    """Return the experiment that a connection starts from."""
    return tables["connections"].where(connection=connection).distinct("experiment")[0]


def timeline_of(tables: Tables, connection: str, params: FiguresParams) -> Timeline:
    """Return the timeline of a connection: that of the experiment it starts from."""
    return Timeline.of(params.of(experiment_of(tables, connection)))
