"""Kinds of learning problems: loss, metrics and batches of each, one file a kind."""

from collections.abc import Mapping

from torch import Tensor

from specflow.params.tasks import RunParams
from specflow.tasks.base import SPLITS, Split, Task, batches
from specflow.tasks.classification import Classification
from specflow.tasks.diffusion import Diffusion
from specflow.tasks.language import LanguageModelling
from specflow.tasks.speech import Speech

__all__ = ["SPLITS", "Split", "Task", "batches", "build_task"]

_KINDS: dict[str, type[Task]] = {
    "classification": Classification,
    "diffusion": Diffusion,
    "language_modelling": LanguageModelling,
    "ctc": Speech,
}


def build_task(run: RunParams, data: Mapping[Split, Mapping[str, Tensor]]) -> Task:
    """Return the task of a run.

    Args:
        run: The resolved config.
        data: Arrays of both parts, on the device on which the run computes.

    Returns:
        The task.
    """
    return _KINDS[run.problem.kind](run, data)
