import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from specflow import datasets, paths
from specflow.errors import SpecflowError
from specflow.tasks import Task
from specflow.training import members as module
from specflow.training.members import Branching, Member, train_members
from specflow.training.order import branch_order_seed
from specflow.training.scratch import Scratch
from specflow.trajectory import open_trajectory

CPU = torch.device("cpu")
SOURCE = Path(module.__file__).parents[2]


def member(run, name="run", seed=0, **changes):
    base = Member(
        name=name, run=run, seed=seed, order_seed=seed, path=Path(f"{name}.h5"), kept=run.kept_steps
    )
    return replace(base, **changes)


def branch(run, trunk, step, name="branch", **changes):
    start = Branching(trunk.path, step)
    return member(run, name, start=start, kept=run.kept_steps[-1:], **changes)


def train(*jobs):
    train_members(list(jobs), "train")
    return [job.path.read_bytes() for job in jobs]


def final_weights(path):
    with open_trajectory(path) as trajectory:
        return trajectory.weights(-1)


def same(first, second):
    return all(np.array_equal(first[name], second[name]) for name in first)


def test_two_runs_give_the_same_bytes(addition_run):
    first, second = train(member(addition_run)), train(member(addition_run))
    assert first == second


def test_another_seed_gives_other_weights(addition_run):
    train(member(addition_run, "a", 0), member(addition_run, "b", 1))
    assert not same(final_weights(Path("a.h5")), final_weights(Path("b.h5")))


def test_two_workers_give_the_bytes_of_one(addition_run, monkeypatch):
    jobs = [member(addition_run, "a", 0), member(addition_run, "b", 1)]
    alone = train(*jobs)
    monkeypatch.setenv("SPECFLOW_WORKERS", "2")
    assert train(*jobs) == alone


def test_trajectory_holds_plan_history_and_split_states(addition_run):
    train(member(addition_run))
    with open_trajectory(Path("run.h5")) as trajectory:
        assert tuple(trajectory.steps) == addition_run.kept_steps == (0, 2, 4, 8, 12, 16)
        assert trajectory.epochs == [0.0, 0.5, 1.0, 2.0, 3.0, 4.0]
        assert trajectory.optimizer(0) == {}
        assert set(trajectory.optimizer(8)["output.weight"]) == {"exp_avg", "exp_avg_sq", "step"}
        with pytest.raises(SpecflowError, match=r"no optimizer state at step 4.*\[0, 2, 8\]"):
            trajectory.optimizer(4)
        metrics = trajectory.metrics()
    assert set(metrics) == {"train/loss", "train/error", "validation/loss", "validation/error"}
    assert metrics["train/loss"][-1] < metrics["train/loss"][0]


def test_scratch_is_gone_after_success(addition_run):
    train(member(addition_run))
    assert [path.suffix for path in paths.scratch_root().iterdir()] == [".lock"]


@pytest.mark.parametrize("survived", [1, 3, 5])
def test_killed_run_resumes_to_the_same_bytes(addition_run, monkeypatch, killed_after, survived):
    undisturbed = train(member(addition_run))
    killed_after(survived, lambda: train(member(addition_run)))
    Path("run.h5").unlink()
    save, steps_done = Scratch.save, []
    monkeypatch.setattr(Scratch, "save", lambda s, c, r: steps_done.append(c.step) or save(s, c, r))
    assert train(member(addition_run)) == undisturbed
    assert steps_done == list(addition_run.kept_steps[survived:])  # nothing was trained twice


def test_sigkill_at_any_moment_resumes_to_the_same_bytes(addition_run, tmp_path):
    run = addition_run.model_copy(update={"num_epochs": 120})
    undisturbed = train(member(run))
    Path("run.h5").unlink()
    Path("run.json").write_text(run.model_dump_json())
    code = (
        "from pathlib import Path\n"
        "from specflow.params.tasks import RunParams\n"
        "from specflow.training.members import Member, train_members\n"
        "run = RunParams.model_validate_json(Path('run.json').read_text())\n"
        "train_members([Member('run', run, 0, 0, Path('run.h5'), run.kept_steps)], 'train')\n"
    )
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    child = subprocess.Popen([sys.executable, "-c", code], env=environment)
    while not list(paths.scratch_root().glob("*/step*040.pt")):
        assert child.poll() is None
        time.sleep(0.002)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not Path("run.h5").exists()
    assert train(member(run)) == undisturbed


def test_finished_members_survive_the_failure_of_another(addition_run, monkeypatch):
    optimizer = addition_run.optimizer.model_copy(update={"learning_rate": 1e38})
    diverging = addition_run.model_copy(update={"optimizer": optimizer})
    good, bad = member(addition_run, "good"), member(diverging, "bad")
    with pytest.raises(SpecflowError, match=r"bad: the loss is not finite at step \d+"):
        train(bad, good)
    good.path.unlink()  # as DVC does with the outs of a stage that failed
    monkeypatch.setattr(Scratch, "save", lambda *_: pytest.fail("trained again"))
    train(good)


def test_branch_with_the_trunks_order_ends_at_the_trunks_weights(addition_run):
    trunk = member(addition_run)
    train(trunk)
    for step in addition_run.checkpoints.split_steps:
        train(branch(addition_run, trunk, step))
        assert same(final_weights(Path("branch.h5")), final_weights(trunk.path)), step


def test_branch_of_a_network_with_batch_norm_ends_at_the_trunks_weights(digits_run):
    trunk = member(digits_run)
    train(
        trunk,
    )
    train(branch(digits_run, trunk, 2))
    with open_trajectory(trunk.path) as a, open_trajectory(Path("branch.h5")) as b:
        assert same(a.weights(-1), b.weights(-1))
        assert same(a.buffers(-1), b.buffers(-1))


def test_branch_with_another_order_ends_elsewhere(addition_run):
    trunk = member(addition_run)
    train(trunk)
    train(branch(addition_run, trunk, 8, order_seed=branch_order_seed(0)))
    assert not same(final_weights(Path("branch.h5")), final_weights(trunk.path))


def test_branch_from_a_step_that_was_not_kept_is_refused(addition_run):
    trunk = member(addition_run)
    train(trunk)
    with pytest.raises(SpecflowError, match=re.escape("step 3 was not kept")):
        train(branch(addition_run, trunk, 3))


def test_scratch_of_a_branch_holds_one_checkpoint(addition_run, monkeypatch):
    trunk = member(addition_run, "trunk")
    train(trunk)
    held = []
    save = Scratch.save

    def count(scratch, checkpoint, resume):
        save(scratch, checkpoint, resume)
        held.append(sorted(path.name for path in scratch.folder.glob("step*.pt")))

    monkeypatch.setattr(Scratch, "save", count)
    train(branch(addition_run, trunk, 2))
    assert [len(names) for names in held] == [1, 2, 2, 2, 2]  # one goes when the next is complete
    assert held[-1][-1] == "step000000000016.pt"


def test_changed_data_are_not_resumed_from_old_scratch(addition_run):
    first = module._scratch(member(addition_run), CPU).folder
    dataset = addition_run.dataset.model_copy(update={"seed": 5})
    datasets.prepare(dataset, paths.dataset("addition"))
    assert module._scratch(member(addition_run), CPU).folder != first


def test_scratch_of_another_device_is_not_resumed(addition_run):
    job = member(addition_run)
    assert module._scratch(job, CPU).folder != module._scratch(job, torch.device("cuda")).folder


def test_another_seed_of_the_experiment_leaves_scratch_and_bytes_alone(addition_run):
    more = addition_run.model_copy(update={"seeds": (0, 1, 2)})
    assert module._scratch(member(more), CPU) == module._scratch(member(addition_run), CPU)
    assert train(member(more)) == train(member(addition_run))


def test_divergence_in_the_very_last_step_is_an_error(addition_run):
    optimizer = addition_run.optimizer.model_copy(update={"learning_rate": 1e38})
    changes = {"optimizer": optimizer, "num_epochs": 1, "batch_size": "full"}
    plan = addition_run.checkpoints.model_copy(update={"split_steps": ()})
    run = addition_run.model_copy(update={**changes, "checkpoints": plan})
    assert run.kept_steps == (0, 1)
    with pytest.raises(SpecflowError, match=r"run: not finite after step 1: .*weight"):
        train(member(run))
    assert not Path("run.h5").exists()


def test_branch_on_other_data_than_its_trunk_is_refused(addition_run):
    trunk = member(addition_run)
    train(trunk)
    dataset = addition_run.dataset.model_copy(update={"seed": 5})
    datasets.prepare(dataset, paths.dataset("addition"))
    with pytest.raises(SpecflowError, match=r"run.h5: was trained on data of fingerprint"):
        train(branch(addition_run, trunk, 8))


def test_chance_in_the_network_resumes_too(addition_run, monkeypatch):
    """Dropout draws from torch's generator, whose state depends on the step alone."""
    build = Task.build_model

    def with_dropout(self):
        model = build(self)
        model.output.register_forward_pre_hook(
            lambda module, args: functional.dropout(args[0], 0.5, training=module.training)
        )
        return model

    monkeypatch.setattr(Task, "build_model", with_dropout)
    undisturbed = train(member(addition_run))
    trunk = member(addition_run)
    train(branch(addition_run, trunk, 8))
    assert same(final_weights(Path("branch.h5")), final_weights(trunk.path))
    monkeypatch.setattr(Task, "build_model", build)
    assert train(member(addition_run)) != undisturbed


@pytest.mark.cuda
def test_mixed_precision_trains_on_cuda(addition_run, monkeypatch):
    monkeypatch.setenv("SPECFLOW_DEVICE", "cuda")
    for precision in ("bfloat16", "float16"):
        run = addition_run.model_copy(update={"precision": precision, "num_epochs": 50})
        train(member(run, precision))
        with open_trajectory(Path(f"{precision}.h5")) as trajectory:
            loss = trajectory.metrics()["train/loss"]
        assert loss[-1] < 0.5 * loss[0]
