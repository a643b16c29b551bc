"""BatchNorm statistics of a network whose weights were changed by hand, from training data."""

import math

from torch import nn

from specflow.interventions.batch_norm import reestimate_batch_norm
from specflow.problems.task import Task, equal_parts


def reestimate_on_training_data(task: Task, model: nn.Module, num_samples: int) -> None:
    """Re-estimate the statistics on the first training samples; without BatchNorm do nothing.

    The samples come in parts of nearly equal size, so that the statistics of all count alike.
    """
    length = min(task.num_samples("train"), num_samples)
    count = math.ceil(length / task.settings.evaluation.batch_size)

    def forward() -> None:  # for what the network sees meanwhile
        for part in equal_parts(length, count):
            task.totals(model, "train", part)

    reestimate_batch_norm(model, forward)
