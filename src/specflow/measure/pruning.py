"""SVD pruning along a trajectory: what is left of a model when half of every spectrum is removed.

Layout of the file (version 1): /step (T,), /epoch (T,) and /<keep>/<keep_fraction>/<split>/<metric>
(T,), with keep one of full, top, bottom. "full" is the run's own history.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from specflow.checkpoints.trajectory import Trajectory, open_trajectory
from specflow.executor import Report
from specflow.hdf5 import create, write_row
from specflow.measure.evaluation import (
    FULL,
    Pruned,
    evaluate_changed,
    prepared_task,
    pruning_variants,
    remembered,
    to_tensors,
    variant_group,
    write_history,
)
from specflow.measure.layouts import PRUNING
from specflow.measure.settings import PruningParams
from specflow.models.network import Network
from specflow.problems.settings import ProblemSettings
from specflow.problems.task import Task
from specflow.scratch import Scratch


@dataclass(frozen=True)
class PruningJob:
    """Pruning of one run.

    Attributes:
        problem: Settings of its problem and network.
        settings: What is pruned.
        source: Its trajectory.
        target: Place of the result.
        scratch: Where finished checkpoints are kept; removed when all are.
    """

    problem: ProblemSettings
    settings: PruningParams
    source: Path
    target: Path
    scratch: Scratch


def measure_pruning(job: PruningJob, report: Report) -> None:
    """Evaluate every pruning of every kept step of a run.

    Args:
        job: The run.
        report: Called with 1 after each checkpoint.

    Raises:
        SpecflowError: If the trajectory or the data are broken, the run was trained on other data,
            or the result cannot be written.
    """
    task = prepared_task(job.problem)
    evaluate = partial(_evaluate, task, task.build_model(), job.settings)
    with (
        job.scratch.locked(),
        open_trajectory(job.source) as trajectory,
        create(job.target, PRUNING, {}) as file,
    ):
        trajectory.check_data(task.fingerprint)
        write_history(file, trajectory, variant_group(FULL))
        steps = trajectory.steps
        for index, step in enumerate(steps):
            compute = partial(evaluate, trajectory, index)
            for group, metrics in remembered(job.scratch, f"step{step}", compute).items():
                write_row(file.require_group(group), metrics, index, len(steps))
            report(1)
    job.scratch.remove()


def _evaluate(
    task: Task, model: Network, settings: PruningParams, trajectory: Trajectory, index: int
) -> dict[str, dict[str, float]]:
    """Return the metrics of every pruning of a kept step, by the pruning's group."""
    arrays = {**trajectory.weights(index), **trajectory.buffers(index)}
    pruned = Pruned(to_tensors(arrays, task.device), model.wiring)
    return {
        variant_group(variant): evaluate_changed(task, model, pruned.weights(variant), settings)
        for variant in pruning_variants(settings)
    }
