"""Resolved config as lists of names and values."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from specflow.report.numbers import parameter

# What a reader looks for first, where a config has it.
HEADLINES = {
    "experiments": {
        "problem.kind": "problem",
        "dataset_name": "dataset",
        "model.kind": "model",
        "optimizer.kind": "optimizer",
        "optimizer.learning_rate": "learning rate",
        "optimizer.weight_decay": "weight decay",
        "batch_size": "batch",
        "num_epochs": "epochs",
    },
    "connections": {
        "experiment": "experiment",
        "split_steps": "split steps",
        "num_branches": "branches",
        "num_points": "points",
        "across_trunks": "across trunks",
        "perturbation.scales": "perturbations",
    },
    "tickets": {
        "experiment": "source",
        "kind": "kind",
        "density": "density",
        "rewind_step": "rewind step",
    },
    "samples": {
        "experiment": "experiment",
        "run_seed": "seed of the run",
        "num_images": "images",
    },
    "suites": {
        "path": "folder",
        "files": "files",
        "layout": "layout",
    },
}


@dataclass(frozen=True)
class Parameters:
    """One file of resolved config.

    Attributes:
        concern: What reads it: training, spectra, ...
        values: Dotted keys with their values.
    """

    concern: str
    values: tuple[tuple[str, str], ...]


def parameters_of(config: Mapping[str, Any]) -> list[Parameters]:
    """Return every value of a config.

    Args:
        config: Nested values by concern.

    Returns:
        One list a concern, in the order of the files.
    """
    return [Parameters(concern, tuple(_flat(values, ""))) for concern, values in config.items()]


def headline(group: str, parameters: list[Parameters]) -> dict[str, str]:
    """Return what a reader looks for first.

    Args:
        group: experiments, connections, tickets, samples or suites.
        parameters: All values.

    Returns:
        Values by what they are called; every name of the group, empty where there is no such key.
    """
    values = dict(pair for one in parameters for pair in one.values)
    return {called: values.get(key, "") for key, called in HEADLINES[group].items()}


def _flat(node: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, Mapping) and node:
        for name, value in node.items():
            yield from _flat(value, f"{key}.{name}".strip("."))
    else:
        yield key, "none" if node == {} else parameter(node)
