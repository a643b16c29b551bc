"""Boil all results down to small tables and one file of metrics."""

from specflow.config.settings import ALL, read_settings
from specflow.studies.collect import CollectSettings, collect


def main() -> None:
    """Collect what params.yaml declares."""
    collect(read_settings("collect", ALL, CollectSettings)[0])
