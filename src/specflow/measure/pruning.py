"""SVD pruning along a trajectory: what is left of a model when half of every spectrum is removed.

Layout of the file (version 2), T measured steps: /step (T,), /epoch (T,) and
/<keep>/<keep_fraction>/<split>/<metric> (T,), with keep one of full, reestimated, top, bottom.
"full" is the run's own history, with the running statistics of BatchNorm; "reestimated", of
networks with BatchNorm alone, is the full model with statistics re-estimated as for the pruned
ones.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from specflow.checkpoints.trajectory import open_trajectory
from specflow.executor import Report
from specflow.hdf5 import create, write_row
from specflow.interventions.batch_norm import batch_norm_layers
from specflow.measure.evaluation import (
    FULL,
    REESTIMATED,
    Evaluation,
    Pruned,
    pruning_variants,
    write_history,
)
from specflow.measure.layouts import PRUNING
from specflow.measure.settings import PruningParams
from specflow.problems.settings import ProblemSettings
from specflow.scratch import Scratch, Work


@dataclass(frozen=True)
class PruningJob:
    """Pruning of one run."""

    problem: ProblemSettings
    settings: PruningParams
    source: Path  # its trajectory
    target: Path
    work: Work
    steps: tuple[int, ...] | None = None  # kept steps that are measured; None means all


def measure_pruning(job: PruningJob, report: Report) -> None:
    """Evaluate every pruning of the kept steps of a run; report each step.

    Raises:
        SpecflowError: If the trajectory or the data are broken, the run was trained on other data,
            or the result cannot be written.
    """
    scratch = job.work.scratch()
    scratch.make(job.target, partial(_measure, job, scratch, report))


def _measure(job: PruningJob, scratch: Scratch, report: Report) -> None:
    evaluation, variants = Evaluation(job.problem, job.settings), pruning_variants(job.settings)
    if batch_norm_layers(evaluation.model):
        variants = [REESTIMATED, *variants]
    with open_trajectory(job.source) as trajectory, create(job.target, PRUNING, {}) as file:
        trajectory.check_data(evaluation.task.fingerprint)
        steps = trajectory.steps if job.steps is None else job.steps
        places = [trajectory.index_of(step) for step in steps]
        write_history(file, trajectory, FULL.group, places)

        def compute(place: int) -> dict[str, Any]:
            weights = evaluation.weights(trajectory, place)
            return evaluation.metrics_of(Pruned(weights, evaluation.model.wiring), variants)

        for index, (step, place) in enumerate(zip(steps, places, strict=True)):
            found = scratch.remember(f"step{step}", partial(compute, place))
            for group, metrics in found.items():
                write_row(file.require_group(group), metrics, index, len(steps))
            report(1)
