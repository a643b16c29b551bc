"""One member of a training stage: from its start to its trajectory, over any number of kills."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from specflow import datasets, paths
from specflow.device import choose_device, make_deterministic, workers_on
from specflow.executor import Report, run_members
from specflow.layouts import TRAJECTORY
from specflow.params.tasks import RunParams
from specflow.tasks import Task, load_task
from specflow.training.loop import NonFiniteLossError, Trainer
from specflow.training.optimizers import build_optimizer
from specflow.training.perturbed import Perturbation, perturb_network
from specflow.training.scratch import Scratch, scratch_key
from specflow.training.weights import export_buffers, export_weights, import_weights
from specflow.trajectory import Checkpoint, Origin, open_trajectory, write_trajectory


@dataclass(frozen=True)
class Branching:
    """A split point: the trunk's trajectory and the step from which a branch goes on.

    Where the split point is perturbed, weights and BatchNorm statistics change; the state of the
    optimizer stays that of the trunk.
    """

    trunk: Path
    step: int
    perturbation: Perturbation | None = None


class Intervention(Protocol):
    """A change of weights by hand that lasts from the start of a member to its end."""

    @property
    def step(self) -> int:
        """The step from which the member trains."""

    def fingerprint(self) -> str:
        """Return a hash of all that decides the change."""

    def begin(self, trainer: Trainer) -> None:
        """Change the network before its first step, and from then on."""

    def hold(self, trainer: Trainer) -> None:
        """Go on with a network that was changed already, after a kill."""


@dataclass(frozen=True)
class Member:
    """A run to be trained: a seed of an experiment, or a branch of a connection.

    Attributes:
        name: Its name, for messages and its scratch folder.
        run: The resolved config.
        seed: Seed of the initial weights.
        order_seed: Seed of the data order.
        path: Place of the trajectory.
        kept: Steps that the trajectory holds, the last of the run among them.
        start: Where a branch starts; None for new weights.
        intervention: What is changed by hand; None for ordinary training. With new weights, it
            says from which step of schedule and data order they are trained.
    """

    name: str
    run: RunParams
    seed: int
    order_seed: int
    path: Path
    kept: tuple[int, ...]
    start: Branching | None = None
    intervention: Intervention | None = None

    @property
    def first_step(self) -> int:
        """The step from which it trains."""
        begin = self.start or self.intervention
        return begin.step if begin else 0

    @property
    def scale(self) -> float:
        """The scale of the perturbation of its start, 0 for none."""
        perturbation = self.start.perturbation if self.start else None
        return perturbation.scale if perturbation else 0.0

    @property
    def num_steps(self) -> int:
        """Number of optimizer steps that it takes."""
        return self.kept[-1] - self.first_step


def train_members(members: list[Member], title: str) -> None:
    """Train all members of a stage, side by side, and write their trajectories.

    What a killed stage had trained is taken up again. Scratch is removed once all members are
    done, since DVC deletes the outs of a stage that starts again.

    Args:
        members: The members.
        title: What the progress bar says.

    Raises:
        SpecflowError: If a member fails; it names the member and, if it diverged, the step.
    """
    device = choose_device()
    run_members(
        _train_member,
        {member.name: member for member in members},
        title=title,
        total=sum(member.num_steps for member in members),
        workers=workers_on(device),
    )
    for member in members:
        scratch = _scratch(member, device)
        with scratch.locked():
            scratch.remove()


def _scratch(member: Member, device: torch.device) -> Scratch:
    key = scratch_key(
        _config(member.run),
        f"{member.seed} {member.order_seed} {device.type} {TRAJECTORY.version}",
        " ".join(map(str, member.kept)),
        datasets.fingerprint(paths.dataset(member.run.dataset_name)),
        _split_fingerprint(member.start) if member.start else "",
        repr(member.start.perturbation) if member.start else "",
        member.intervention.fingerprint() if member.intervention else "",
    )
    return Scratch(paths.scratch_root() / f"{member.name.replace('/', '-')}-{key}")


def _config(run: RunParams) -> str:
    """Return what determines a single run; the other seeds of its experiment do not."""
    return run.model_dump_json(exclude={"seeds"})


def _split_fingerprint(start: Branching) -> str:
    with open_trajectory(start.trunk) as trunk:
        return trunk.fingerprint_of(start.step)


def _train_member(member: Member, report: Report) -> None:
    device = choose_device()
    make_deterministic(device)
    task = load_task(member.run, device)
    scratch = _scratch(member, device)
    origin = Origin(
        config=_config(member.run),
        seed=member.seed,
        order_seed=member.order_seed,
        first_step=member.first_step,
        scale=member.scale,
        torch=str(torch.__version__),
        device=device.type,
        fingerprint=task.fingerprint,
    )
    with scratch.locked():
        _train(member, task, scratch, report)
        checkpoints = (scratch.checkpoint(step) for step in member.kept)
        steps, epoch_steps = list(member.kept), member.run.epoch_steps
        write_trajectory(member.path, origin, steps, epoch_steps, checkpoints)


def _train(member: Member, task: Task, scratch: Scratch, report: Report) -> None:
    torch.manual_seed(member.seed)
    model = task.build_model()
    optimizer = build_optimizer(member.run.optimizer, model)
    trainer = Trainer(task, model, optimizer, member.order_seed)
    step = _take_up(member, trainer, scratch)
    report(step - member.first_step)
    pauses = [pause for pause in member.run.kept_steps if pause > step]
    for pause in trainer.run(step, pauses, report):
        _save(member, trainer, scratch, pause)
        if step not in member.kept:
            scratch.forget(step)
        step = pause


def _take_up(member: Member, trainer: Trainer, scratch: Scratch) -> int:
    """Bring model and optimizer to where training goes on; return the steps taken so far."""
    resume = scratch.resume()
    if resume is not None:
        checkpoint = scratch.checkpoint(resume["step"])
        import_weights(trainer.model, {**checkpoint.weights, **checkpoint.buffers})
        trainer.optimizer.load_state_dict(resume["optimizer"])
        trainer.scaler.load_state_dict(resume["scaler"])
        if member.intervention is not None:
            member.intervention.hold(trainer)
        return resume["step"]
    if member.start is not None:
        _start_from_trunk(member.start, trainer, member.seed)
    if member.intervention is not None:
        member.intervention.begin(trainer)
    _save(member, trainer, scratch, member.first_step)
    return member.first_step


def _start_from_trunk(start: Branching, trainer: Trainer, seed: int) -> None:
    with open_trajectory(start.trunk) as trunk:
        trunk.check_data(trainer.task.fingerprint)
        index = trunk.index_of(start.step)
        import_weights(trainer.model, {**trunk.weights(index), **trunk.buffers(index)})
        trainer.import_state(trunk.optimizer(start.step))
    if start.perturbation is not None:
        perturb_network(trainer.model, trainer.task, start.perturbation, seed)


def _save(member: Member, trainer: Trainer, scratch: Scratch, step: int) -> None:
    kept = step in member.kept
    split = kept and step in member.run.checkpoints.split_steps and not member.intervention
    checkpoint = Checkpoint(
        step=step,
        weights=export_weights(trainer.model),
        buffers=export_buffers(trainer.model),
        metrics=trainer.task.evaluate_all(trainer.model) if kept else {},
        optimizer=trainer.export_state() if split else None,
    )
    _check_finite(checkpoint)
    scratch.save(
        checkpoint,
        {"optimizer": trainer.optimizer.state_dict(), "scaler": trainer.scaler.state_dict()},
    )


def _check_finite(checkpoint: Checkpoint) -> None:
    """Refuse a checkpoint of a run that diverged in the steps before it.

    Raises:
        NonFiniteLossError: If a weight or a metric is not finite; it names them and the step.
    """
    bad = [name for name, weight in checkpoint.weights.items() if not np.isfinite(weight).all()]
    bad += [name for name, value in checkpoint.metrics.items() if not math.isfinite(value)]
    if bad:
        raise NonFiniteLossError(
            f"not finite after step {checkpoint.step}: {', '.join(bad)}; earlier checkpoints are "
            "kept; expected a smaller learning rate or gradient_clip"
        )
