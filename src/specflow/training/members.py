"""One member of a training stage: from its start to its trajectory, over any number of kills."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from specflow import datasets, paths
from specflow.executor import Report, run_members
from specflow.params.tasks import RunParams
from specflow.tasks import Task, build_task
from specflow.training.device import choose_device, make_deterministic, workers_on
from specflow.training.loop import Trainer
from specflow.training.optimizers import build_optimizer, export_state, import_state
from specflow.training.scratch import Scratch, scratch_key
from specflow.training.weights import export_buffers, export_weights, import_weights
from specflow.trajectory import Checkpoint, Origin, open_trajectory, write_trajectory


@dataclass(frozen=True)
class Branching:
    """A split point: the trunk's trajectory and the step from which a branch goes on."""

    trunk: Path
    step: int


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
        start: Where a branch starts; None for a run from step 0.
    """

    name: str
    run: RunParams
    seed: int
    order_seed: int
    path: Path
    kept: tuple[int, ...]
    start: Branching | None = None

    @property
    def first_step(self) -> int:
        """The step from which it trains."""
        return self.start.step if self.start else 0

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
        _scratch(member).remove()


def load_task(run: RunParams, device: torch.device) -> Task:
    """Return the task of a run with its data on the device.

    Args:
        run: The resolved config.
        device: The device that computes.

    Returns:
        The task.
    """
    return build_task(run, _load_data(run, device)[0])


def _load_data(run: RunParams, device: torch.device) -> tuple[Any, str]:
    data = datasets.load(paths.dataset(run.dataset_name))
    on_device = {
        split: {name: array.to(device) for name, array in getattr(data, split).items()}
        for split in ("train", "validation")
    }
    return on_device, data.fingerprint


def _scratch(member: Member) -> Scratch:
    data = paths.dataset(member.run.dataset_name)
    start = f"{member.start.trunk} {member.start.step}" if member.start else ""
    key = scratch_key(
        member.run.model_dump_json(),
        f"{member.seed} {member.order_seed} {start} {datasets.fingerprint(data)}",
        " ".join(map(str, member.kept)),
    )
    return Scratch(paths.scratch_root() / f"{member.name.replace('/', '-')}-{key}")


def _train_member(member: Member, report: Report) -> None:
    device = choose_device()
    make_deterministic(device)
    data, fingerprint = _load_data(member.run, device)
    scratch = _scratch(member)
    with scratch.locked():
        _train(member, build_task(member.run, data), scratch, report)
        origin = Origin(
            member.run.model_dump_json(), member.seed, str(torch.__version__), fingerprint
        )
        write_trajectory(
            member.path,
            origin,
            list(member.kept),
            member.run.epoch_steps,
            (scratch.checkpoint(step) for step in member.kept),
        )


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


def _take_up(member: Member, trainer: Trainer, scratch: Scratch) -> int:
    """Bring model and optimizer to where training goes on; return the steps taken so far."""
    resume = scratch.resume()
    if resume is not None:
        checkpoint = scratch.checkpoint(resume["step"])
        import_weights(trainer.model, {**checkpoint.weights, **checkpoint.buffers})
        trainer.optimizer.load_state_dict(resume["optimizer"])
        trainer.scaler.load_state_dict(resume["scaler"])
        return resume["step"]
    if member.start is not None:
        _start_from_trunk(member.start, trainer)
    _save(member, trainer, scratch, member.first_step)
    return member.first_step


def _start_from_trunk(start: Branching, trainer: Trainer) -> None:
    with open_trajectory(start.trunk) as trunk:
        index = trunk.index_of(start.step)
        import_weights(trainer.model, {**trunk.weights(index), **trunk.buffers(index)})
        import_state(trainer.optimizer, trainer.model, trunk.optimizer(start.step))


def _save(member: Member, trainer: Trainer, scratch: Scratch, step: int) -> None:
    kept = step in member.kept
    split = kept and step in member.run.checkpoints.split_steps
    checkpoint = Checkpoint(
        step=step,
        weights=export_weights(trainer.model),
        buffers=export_buffers(trainer.model),
        metrics=trainer.task.evaluate_all(trainer.model) if kept else {},
        optimizer=export_state(trainer.optimizer, trainer.model) if split else None,
    )
    scratch.save(
        checkpoint,
        {"optimizer": trainer.optimizer.state_dict(), "scaler": trainer.scaler.state_dict()},
    )
