"""Prepare one dataset."""

from specflow import datasets, paths
from specflow.params.resolve import PrepareParams, read_config
from specflow.stage import run_stage


def main(name: str) -> None:
    """Make the dataset `name` from its resolved config."""
    params = read_config(paths.dataset_config(name), PrepareParams)
    datasets.prepare(params.dataset, paths.dataset(name))


if __name__ == "__main__":
    run_stage(main)
