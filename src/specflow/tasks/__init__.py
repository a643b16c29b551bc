"""Kinds of learning problems: loss, metrics and batches of each, one file a kind."""

from collections.abc import Mapping

import torch
from torch import Tensor

from specflow import datasets, paths
from specflow.params.tasks import RunParams
from specflow.tasks.base import SPLITS, GenerativeTask, Split, Task, batches
from specflow.tasks.classification import Classification
from specflow.tasks.diffusion import Diffusion
from specflow.tasks.language import LanguageModelling
from specflow.tasks.speech import Speech

__all__ = ["SPLITS", "Split", "Task", "GenerativeTask", "batches", "build_task", "load_task"]

_KINDS: dict[str, type[Task]] = {
    "classification": Classification,
    "diffusion": Diffusion,
    "language_modelling": LanguageModelling,
    "ctc": Speech,
}


def build_task(
    run: RunParams, data: Mapping[Split, Mapping[str, Tensor]], fingerprint: str
) -> Task:
    """Return the task of a run.

    Args:
        run: The resolved config.
        data: Arrays of both parts, on the device on which the run computes.
        fingerprint: Fingerprint of the data.

    Returns:
        The task.
    """
    return _KINDS[run.problem.kind](run, data, fingerprint)


def load_task(run: RunParams, device: torch.device) -> Task:
    """Return the task of a run with its prepared data on the device.

    Args:
        run: The resolved config.
        device: The device that computes.

    Returns:
        The task.
    """
    data = datasets.load(paths.dataset(run.dataset_name))
    on_device: dict[Split, dict[str, Tensor]] = {
        split: {name: array.to(device) for name, array in getattr(data, split).items()}
        for split in SPLITS
    }
    return build_task(run, on_device, data.fingerprint)
