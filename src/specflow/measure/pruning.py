"""SVD pruning along a trajectory: what is left of a model when half of every spectrum is removed.

Layout of the file (version 1): /step (T,), /epoch (T,) and /<keep>/<keep_fraction>/<split>/<metric>
(T,), with keep one of full, top, bottom. "full" is the run's own history.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from specflow.device import choose_device, make_deterministic
from specflow.executor import Report
from specflow.hdf5 import create, write, write_row
from specflow.layouts import PRUNING
from specflow.measure.evaluation import Pruned, evaluate_changed, pruning_variants, variant_group
from specflow.measure.views import to_tensors
from specflow.params.tasks import InterventionParams, RunParams
from specflow.tasks import load_task
from specflow.trajectory import open_trajectory


@dataclass(frozen=True)
class PruningJob:
    """Pruning of one run: its config, its trajectory and the place of the result."""

    run: RunParams
    params: InterventionParams
    source: Path
    target: Path


def measure_pruning(job: PruningJob, report: Report) -> None:
    """Evaluate every pruning of every kept step of a run.

    Args:
        job: The run.
        report: Called with 1 after each checkpoint.

    Raises:
        SpecflowError: If the trajectory or the data are broken, or the result cannot be written.
    """
    device = choose_device()
    make_deterministic(device)
    task = load_task(job.run, device)
    model = task.build_model()
    with open_trajectory(job.source) as trajectory, create(job.target, PRUNING, {}) as file:
        write(file, "step", np.array(trajectory.steps, dtype=np.int64))
        write(file, "epoch", np.array(trajectory.epochs))
        for name, values in sorted(trajectory.metrics().items()):
            write(file, f"{variant_group(('full', 1.0))}/{name}", values)
        for index in range(len(trajectory.steps)):
            arrays = {**trajectory.weights(index), **trajectory.buffers(index)}
            pruned = Pruned(to_tensors(arrays, device), model.wiring)
            for variant in pruning_variants(job.params):
                metrics = evaluate_changed(task, model, pruned.weights(variant), job.params)
                group = file.require_group(variant_group(variant))
                write_row(group, metrics, index, len(trajectory.steps))
            report(1)
