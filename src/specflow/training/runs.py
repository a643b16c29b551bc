"""One run of a training stage: from its start to its trajectory, over any number of kills."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from specflow import paths
from specflow.checkpoints.trajectory import (
    TRAJECTORY,
    Checkpoint,
    Origin,
    open_trajectory,
    write_trajectory,
)
from specflow.datasets.storage import fingerprint
from specflow.device import choose_device, keep_freed_memory, make_deterministic
from specflow.executor import Report, run_members
from specflow.models.network import Network
from specflow.problems.task import Task, load_task
from specflow.scratch import Scratch, Work, numeric_environment
from specflow.training.loop import NonFiniteLossError, Trainer
from specflow.training.settings import RunSettings
from specflow.training.weights import export_buffers, export_weights, import_weights

_RESUME = "resume"  # begins the names of what training goes on from; their checkpoints come first


class Intervention(Protocol):
    """A change of weights by hand with which a run starts."""

    @property
    def scale(self) -> float:
        """Scale of a perturbation, 0 for none."""

    def fingerprint(self) -> str:
        """Return a hash of all that decides the change."""

    def begin(self, trainer: Trainer) -> None:
        """Change a network that has the weights of the first step."""

    def hold(self, trainer: Trainer) -> None:
        """Go on with a network that was changed already, after a kill."""


@dataclass(frozen=True)
class TrainingRun:
    """A run to be trained: a seed of an experiment, or a branch of a connection.

    Attributes:
        name: Its name, for messages and its scratch folder.
        settings: The resolved settings.
        seed: Seed of the initial weights.
        order_seed: Seed of the data order.
        target: Place of the trajectory.
        kept: Steps that the trajectory holds, the last of the run among them.
        code: Hashes of the code that trains it: other code takes up nothing of a killed run.
        first_step: The step of schedule and data order from which it trains.
        trunk: Trajectory with whose weights and optimizer state of that step it starts; None for
            new weights.
        intervention: What is changed by hand; None for ordinary training.
    """

    name: str
    settings: RunSettings
    seed: int
    order_seed: int
    target: Path
    kept: tuple[int, ...]
    code: str
    first_step: int = 0
    trunk: Path | None = None
    intervention: Intervention | None = None

    @property
    def num_steps(self) -> int:
        """Number of optimizer steps that it takes."""
        return self.kept[-1] - self.first_step

    @property
    def work(self) -> Work:
        """What determines the trajectory.

        Raises:
            SpecflowError: If the data or the trunk are missing or broken.
        """
        parts = (
            _config(self),
            self.code,
            f"{self.seed} {self.order_seed} {self.first_step} {TRAJECTORY.version}",
            " ".join(map(str, self.kept)),
            fingerprint(paths.dataset(self.settings.dataset_name)),
            _split_fingerprint(self.trunk, self.first_step) if self.trunk else "",
            self.intervention.fingerprint() if self.intervention else "",
        )
        return Work(self.name, parts)


def train_runs(runs: list[TrainingRun], title: str) -> None:
    """Train all runs of a stage, side by side, and write their trajectories.

    What a killed stage had trained is taken up again; finished runs that lie there are left.

    Raises:
        SpecflowError: If a run fails; it names the run and, if it diverged, the step.
    """
    run_members(
        _train_to_the_end,
        {run.name: run for run in runs},
        title=title,
        total=sum(run.num_steps for run in runs),
    )


def _config(run: TrainingRun) -> str:
    """Return what determines a single run; the other seeds of its experiment do not."""
    return run.settings.model_dump_json(exclude={"seeds"})


def _split_fingerprint(path: Path, step: int) -> str:
    with open_trajectory(path) as trunk:
        return trunk.fingerprint_of(step)


def _train_to_the_end(run: TrainingRun, report: Report) -> None:
    device = choose_device()
    make_deterministic(device)
    keep_freed_memory()
    scratch = run.work.scratch()
    scratch.make(run.target, partial(_train_and_write, run, device, scratch, report))


def _train_and_write(
    run: TrainingRun, device: torch.device, scratch: Scratch, report: Report
) -> None:
    task = load_task(run.settings, paths.dataset(run.settings.dataset_name), device)
    network = _train(run, task, scratch, report)
    transposed = [one.view.tensor for one in network.wiring.matrices if one.view.transposed]
    origin = Origin(
        config=_config(run),
        seed=run.seed,
        order_seed=run.order_seed,
        first_step=run.first_step,
        scale=run.intervention.scale if run.intervention else 0.0,
        torch=str(torch.__version__),
        device=device.type,
        environment=numeric_environment(),
        fingerprint=task.fingerprint,
        transposed=json.dumps(transposed),
    )
    checkpoints = (_checkpoint(scratch, step) for step in run.kept)
    write_trajectory(run.target, origin, list(run.kept), run.settings.epoch_steps, checkpoints)


def _train(run: TrainingRun, task: Task, scratch: Scratch, report: Report) -> Network:
    """Train to the last kept step, from where a killed run ended; return the network."""
    torch.manual_seed(run.seed)
    trainer = Trainer(run.settings, task, task.build_model(), run.order_seed)
    step, before = _take_up(run, trainer, scratch), None
    report(step - run.first_step)
    pauses = [pause for pause in run.settings.kept_steps if pause > step]
    for pause in trainer.run(step, pauses):
        report(pause - step)
        _save(run, trainer, scratch, pause)
        if before is not None:
            _drop(run, scratch, before)  # two are kept: a disk may fail with the last one
        before, step = step, pause
    return trainer.model


def _take_up(run: TrainingRun, trainer: Trainer, scratch: Scratch) -> int:
    """Bring model and optimizer to where training goes on; return the steps taken so far."""
    step = _last_good(run, scratch)
    if step is not None:
        resume = scratch.load(_name(step, _RESUME))
        checkpoint = _checkpoint(scratch, step)
        import_weights(trainer.model, {**checkpoint.weights, **checkpoint.buffers})
        trainer.optimizer.load_state_dict(resume["optimizer"])
        trainer.scaler.load_state_dict(resume["scaler"])
        if run.intervention is not None:
            run.intervention.hold(trainer)
        return step
    if run.trunk is not None:
        _start_from_trunk(run.trunk, run.first_step, trainer)
    if run.intervention is not None:
        run.intervention.begin(trainer)
    _save(run, trainer, scratch, run.first_step)
    return run.first_step


def _last_good(run: TrainingRun, scratch: Scratch) -> int | None:
    """Return the last step to go on from of which nothing is missing, and drop what others left.

    Its own checkpoint is needed, and those of all kept steps before it.
    """
    good = None
    for step in [run.first_step, *run.settings.kept_steps]:
        there = scratch.has(_name(step))
        if not there and step in run.kept:
            break
        if there and scratch.has(_name(step, _RESUME)):
            good = step
    for name in scratch.names(f"{_RESUME}*"):
        if good is None or name != _name(good, _RESUME):
            scratch.forget(name)
    return good


def _drop(run: TrainingRun, scratch: Scratch, step: int) -> None:
    """Remove what only served to go on from a step."""
    scratch.forget(_name(step, _RESUME))
    if step not in run.kept:
        scratch.forget(_name(step))


def _start_from_trunk(path: Path, step: int, trainer: Trainer) -> None:
    with open_trajectory(path) as trunk:
        trunk.check_data(trainer.task.fingerprint)
        index = trunk.index_of(step)
        import_weights(trainer.model, {**trunk.weights(index), **trunk.buffers(index)})
        trainer.import_state(trunk.optimizer(step))


def _save(run: TrainingRun, trainer: Trainer, scratch: Scratch, step: int) -> None:
    """Keep a checkpoint, and then what training needs beyond it to go on from there."""
    kept = step in run.kept
    split = kept and step in run.settings.checkpoints.split_steps and not run.intervention
    checkpoint = Checkpoint(
        step=step,
        weights=export_weights(trainer.model),
        buffers=export_buffers(trainer.model),
        metrics=trainer.task.evaluate_all(trainer.model) if kept else {},
        optimizer=trainer.export_state() if split else None,
    )
    _check_finite(checkpoint)
    scratch.save(_name(step), _converted(vars(checkpoint), np.ndarray, torch.from_numpy))
    optimizer, scaler = trainer.optimizer.state_dict(), trainer.scaler.state_dict()
    scratch.save(_name(step, _RESUME), {"optimizer": optimizer, "scaler": scaler})


def _checkpoint(scratch: Scratch, step: int) -> Checkpoint:
    return Checkpoint(**_converted(scratch.load(_name(step)), Tensor, Tensor.numpy))


def _name(step: int, kind: str = "step") -> str:
    return f"{kind}{step:012d}.pt"


def _converted(value: Any, kind: type, convert: Callable[[Any], Any]) -> Any:
    """Return nested mappings with all that is of a kind converted."""
    if isinstance(value, Mapping):
        return {key: _converted(entry, kind, convert) for key, entry in value.items()}
    return convert(value) if isinstance(value, kind) else value


def _check_finite(checkpoint: Checkpoint) -> None:
    """Refuse a checkpoint of a run that diverged in the steps before it.

    Raises:
        NonFiniteLossError: If a weight or a metric is not finite.
    """
    bad = [name for name, weight in checkpoint.weights.items() if not np.isfinite(weight).all()]
    bad += [name for name, value in checkpoint.metrics.items() if not math.isfinite(value)]
    if bad:
        raise NonFiniteLossError(
            f"not finite after step {checkpoint.step}: {', '.join(bad)}; earlier checkpoints are "
            "kept; expected a smaller learning rate or gradient_clip"
        )
