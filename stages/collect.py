"""Boil all results down to small tables and one file of metrics."""

from specflow import paths
from specflow.params.resolve import CollectParams, read_config
from specflow.stage import run_stage
from specflow.tables.collect import collect


def main() -> None:
    """Collect what params.yaml declares."""
    collect(read_config(paths.COLLECT_CONFIG, CollectParams))


if __name__ == "__main__":
    run_stage(main)
