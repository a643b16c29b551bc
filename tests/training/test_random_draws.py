"""Training of a task that draws random numbers: the same bytes however often it is killed."""

from pathlib import Path

import numpy as np
import pytest
import torch

from specflow.tasks import build_task
from specflow.training.loop import Trainer
from specflow.training.members import Branching, Member, train_members
from specflow.training.optimizers import build_optimizer
from specflow.training.order import branch_order_seed, epoch_order, step_seed
from specflow.trajectory import open_trajectory


def member(run, name="run", order_seed=0, **changes):
    fields = {"kept": run.kept_steps, "seed": 0} | changes
    return Member(name=name, run=run, order_seed=order_seed, path=Path(f"{name}.h5"), **fields)


def train(job):
    train_members([job], "train")
    return job.path.read_bytes()


def weights_of(path, step=-1):
    with open_trajectory(path) as trajectory:
        return trajectory.weights(step)


def same(first, second):
    return all(np.array_equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("survived", [1, 2, 3])
def test_killed_run_resumes_to_the_same_bytes(diffusion_run, killed_after, survived):
    assert diffusion_run.kept_steps == (0, 2, 5, 10)
    undisturbed = train(member(diffusion_run))
    killed_after(survived, lambda: train(member(diffusion_run)))
    Path("run.h5").unlink()
    torch.manual_seed(999)
    assert train(member(diffusion_run)) == undisturbed


def test_branch_with_the_trunks_order_ends_at_the_trunks_weights(diffusion_run):
    trunk = member(diffusion_run, "trunk")
    train(trunk)
    for name, order_seed in (("same", 0), ("other", branch_order_seed(0))):
        start = Branching(trunk.path, 5)
        train(member(diffusion_run, name, order_seed, kept=(10,), start=start))
    assert same(weights_of(Path("same.h5")), weights_of(trunk.path))
    assert not same(weights_of(Path("other.h5")), weights_of(trunk.path))


def test_fixed_frequencies_are_kept_in_the_trajectory(diffusion_run):
    train(member(diffusion_run))
    with open_trajectory(Path("run.h5")) as trajectory:
        first, last = (trajectory.buffers(i)["time.frequencies"] for i in (0, -1))
        assert np.array_equal(first, last)
        assert first.shape == (3,)


def test_seeds_differ_between_steps_orders_and_epochs():
    seeds = {step_seed(order, step) for order in (0, 1, branch_order_seed(0)) for step in range(9)}
    assert len(seeds) == 27
    assert step_seed(4, 7) == step_seed(4, 7)
    generator = torch.Generator().manual_seed(step_seed(0, 1))
    drawn = torch.randperm(50, generator=generator)
    assert not torch.equal(drawn, epoch_order(0, 1, 50))


def test_accumulated_parts_draw_different_noise(diffusion_run):
    run = diffusion_run.model_copy(update={"accumulation_steps": 2})
    zeros = {"inputs": torch.zeros(200, 1, 28, 28)}
    task = build_task(run, {"train": zeros, "validation": zeros}, "")
    torch.manual_seed(0)
    model = task.build_model()
    seen = []
    model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    trainer = Trainer(task, model, build_optimizer(run.optimizer, model), 0)
    list(trainer.run(0, [1], lambda done: None))
    assert [len(images) for images in seen] == [20, 20]
    assert not torch.equal(*seen)


@pytest.mark.cuda
def test_mixed_precision_trains_on_cuda(diffusion_run, monkeypatch):
    monkeypatch.setenv("SPECFLOW_DEVICE", "cuda")
    for precision in ("bfloat16", "float16"):
        run = diffusion_run.model_copy(update={"precision": precision, "num_epochs": 50})
        train(member(run, precision))
        with open_trajectory(Path(f"{precision}.h5")) as trajectory:
            loss = trajectory.metrics()["train/loss"]
        assert loss[-1] < 0.9 * loss[0]
