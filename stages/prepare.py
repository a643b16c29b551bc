"""Prepare one dataset."""

from specflow import paths
from specflow.config.settings import read_settings
from specflow.datasets.dataset import PrepareSettings


def main(name: str) -> None:
    """Make the dataset `name` from its resolved settings."""
    settings, _ = read_settings("prepare", name, PrepareSettings)
    settings.dataset.prepare(paths.dataset(name))
