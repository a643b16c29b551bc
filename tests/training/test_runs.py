import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import product
from pathlib import Path
from unittest import mock

import pytest
from tests.training.made_up import (
    branch_of,
    forget,
    prepare_other_data,
    run_of,
    same,
    train,
    trained,
    weights_of,
)
from torch.nn import functional

from specflow import paths
from specflow.checkpoints.trajectory import open_trajectory
from specflow.errors import SpecflowError
from specflow.problems.task import Task
from specflow.scratch import Scratch
from specflow.training import runs as module
from specflow.training.order import branch_order_seed
from specflow.training.runs import train_runs

SOURCE = Path(module.__file__).parents[2]


def diverging(settings, **changes):
    optimizer = settings.optimizer.model_copy(update={"learning_rate": 1e38})
    return settings.model_copy(update={"optimizer": optimizer, **changes})


def test_two_runs_give_the_same_bytes_and_another_seed_does_not(addition_run):
    first, second = (train(run_of(addition_run)) for _ in range(2))
    assert first == second
    other = run_of(addition_run, "other", seed=1)
    train(other)
    assert not same(weights_of(run_of(addition_run)), weights_of(other))


@pytest.mark.slow
def test_two_workers_give_the_bytes_of_one(addition_run, monkeypatch):
    runs = [run_of(addition_run, "a", 0), run_of(addition_run, "b", 1)]
    alone = train(*runs)
    monkeypatch.setenv("SPECFLOW_WORKERS", "2")
    assert train(*runs) == alone


def test_trajectory_holds_plan_history_and_split_states(addition_run):
    trained(addition_run)
    with open_trajectory(Path("trunk.h5")) as trajectory:
        assert tuple(trajectory.steps) == addition_run.kept_steps == (0, 2, 4, 8, 12, 16)
        assert trajectory.epochs == [0.0, 0.5, 1.0, 2.0, 3.0, 4.0]
        assert trajectory.optimizer(0) == {}
        assert set(trajectory.optimizer(8)["output.weight"]) == {"exp_avg", "exp_avg_sq", "step"}
        with pytest.raises(SpecflowError, match=r"no optimizer state at step 4.*\[0, 2, 8\]"):
            trajectory.optimizer(4)
        metrics = trajectory.metrics()
    names = ("loss", "error", "loss_baseline")
    assert set(metrics) == {
        f"{split}/{name}" for split in ("train", "validation") for name in names
    }
    assert metrics["train/loss"][-1] < metrics["train/loss"][0]
    left = {path.suffix for path in paths.scratch_root().iterdir()}
    assert left == {".result", ".lock"}  # the steps are removed


@pytest.mark.parametrize(
    ("settings", "survived"),
    [*product(["addition_run"], [2, 5, 6, 11]), *product(["diffusion_run"], [2, 5])],
    indirect=["settings"],
)
def test_killed_run_resumes_to_the_same_bytes(settings, killed_and_resumed, survived):
    """One that draws random numbers too."""
    undisturbed = train(run_of(settings))
    resumed, saved = killed_and_resumed(run_of(settings), survived)
    assert resumed == undisturbed
    # Nothing was trained twice but what a kill between the two files of a checkpoint lost.
    names = [f"step{step:012d}.pt" for step in settings.kept_steps[survived // 2 :]]
    assert [name for name in saved if name.startswith("step")] == names


@pytest.mark.slow
def test_sigkill_at_any_moment_resumes_to_the_same_bytes(addition_run):
    run = run_of(addition_run.model_copy(update={"num_epochs": 60}))
    undisturbed = train(run)
    forget(run)
    Path("settings.json").write_text(run.settings.model_dump_json())
    code = (
        "from pathlib import Path\n"
        "from specflow.training.runs import TrainingRun, train_runs\n"
        "from specflow.training.settings import RunSettings\n"
        "settings = RunSettings.model_validate_json(Path('settings.json').read_text())\n"
        "place, kept = Path('run.h5'), settings.kept_steps\n"
        "train_runs([TrainingRun('run', settings, 0, 0, place, kept, 'code')], 'train')\n"
    )
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    child = subprocess.Popen([sys.executable, "-c", code], env=environment)
    while not list(paths.scratch_root().glob("*/step*040.pt")):
        assert child.poll() is None
        time.sleep(0.002)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not run.target.exists()
    assert train(run) == undisturbed


def test_finished_runs_survive_the_failure_of_another(addition_run, monkeypatch):
    good, bad = run_of(addition_run, "good"), run_of(diverging(addition_run), "bad")
    with pytest.raises(SpecflowError, match=r"bad: the loss is not finite at step \d+"):
        train(bad, good)
    monkeypatch.setattr(Scratch, "save", lambda *_: pytest.fail("trained again"))
    train_runs([good], "train")


def test_what_lies_there_is_made_again_if_other_work_has_made_it_or_it_is_damaged(addition_run):
    run, other = run_of(addition_run), run_of(addition_run, code="other")
    [whole] = train(run)
    for flipped in (100, len(whole) // 2, len(whole) - 1):
        content = bytearray(whole)
        content[flipped] ^= 1
        run.target.write_bytes(content)
        train_runs([run], "train")
        assert run.target.read_bytes() == whole
    run.target.write_bytes(train(run_of(addition_run, "elsewhere", seed=1))[0])
    train_runs([run], "train")
    assert run.target.read_bytes() == whole
    train(other)
    with mock.patch.object(Scratch, "save", side_effect=Scratch.save, autospec=True) as save:
        train_runs([other], "train")
        assert not save.called
        train_runs([run], "train")
    assert save.called


@pytest.mark.parametrize(("survived", "damage"), [(6, None), (7, None), (7, b""), (7, b"cut")])
def test_damaged_scratch_is_said_and_done_again(
    addition_run, killed_and_resumed, monkeypatch, capsys, survived, damage
):
    """Whichever file of a killed run the disk has lost: cut, empty, or with a byte flipped."""
    undisturbed = train(run_of(addition_run))
    enter = Scratch.locked
    places = range(survived)

    for place in places:

        def enter_damaged(self, place=place):
            parts = sorted(self.folder.glob("*.pt"))
            if parts:
                part = parts[place % len(parts)]
                content = bytearray(part.read_bytes())
                content[len(content) // 2] ^= 1
                part.write_bytes(content if damage is None else damage)
            return enter(self)

        with monkeypatch.context() as patched:
            patched.setattr(Scratch, "locked", enter_damaged)
            resumed, _ = killed_and_resumed(run_of(addition_run), survived)
        assert resumed == undisturbed
        assert "what it held is done again" in capsys.readouterr().err


def test_divergence_in_the_very_last_step_is_an_error(addition_run):
    plan = addition_run.checkpoints.model_copy(update={"split_steps": ()})
    changes = {"num_epochs": 1, "batch_size": "full", "checkpoints": plan}
    run = run_of(diverging(addition_run, **changes))
    assert run.kept == (0, 1)
    with pytest.raises(SpecflowError, match=r"run: not finite after step 1: .*weight"):
        train(run)
    assert not run.target.exists()


@pytest.mark.parametrize("settings", ["addition_run", "digits_run", "diffusion_run"], indirect=True)
def test_branch_with_the_trunks_order_ends_at_the_trunks_weights(settings):
    """AdamW, SGD with BatchNorm, and a loss that draws random numbers."""
    trunk = trained(settings)
    for step in settings.checkpoints.split_steps:
        branch = branch_of(trunk, step)
        train(branch)
        with open_trajectory(trunk.target) as a, open_trajectory(branch.target) as b:
            assert same(a.weights(-1), b.weights(-1)), step
            assert same(a.buffers(-1), b.buffers(-1)), step
    train(branch_of(trunk, step, order_seed=branch_order_seed(0)))
    assert not same(weights_of(trunk), weights_of(branch))


def test_branch_from_a_step_that_was_not_kept_or_on_other_data_is_refused(addition_run):
    trunk = trained(addition_run)
    with pytest.raises(SpecflowError, match="step 3 was not kept"):
        train(branch_of(trunk, 3))
    prepare_other_data()
    with pytest.raises(SpecflowError, match=r"trunk.h5: was trained on data of fingerprint"):
        train(branch_of(trunk, 8))


def test_scratch_of_a_branch_holds_two_checkpoints(addition_run, monkeypatch):
    trunk = trained(addition_run)
    held, save = [], Scratch.save

    def count(scratch, name, content):
        save(scratch, name, content)
        held.append(sorted(path.name for path in scratch.folder.glob("step*.pt")))

    monkeypatch.setattr(Scratch, "save", count)
    train(branch_of(trunk, 2))
    # one goes when the next but one is complete
    assert [len(names) for names in held[1::2]] == [1, 2, 3, 3, 3]
    assert held[-1][-1] == "step000000000016.pt"


def test_scratch_depends_on_all_that_decides_the_result(addition_run):
    trunk = trained(addition_run)
    run = run_of(addition_run)
    longer = addition_run.model_copy(update={"num_epochs": 5})
    others = [
        run,
        run_of(addition_run, seed=1),
        run_of(addition_run, order_seed=1),
        run_of(addition_run, kept=(0, 16)),
        run_of(addition_run, code="other"),
        run_of(longer, kept=run.kept),
        branch_of(trunk, 2, kept=run.kept),
        branch_of(trunk, 8, kept=run.kept),
    ]
    works = {replace(other, name="run").work for other in others}
    more = run_of(addition_run.model_copy(update={"seeds": (0, 1, 2)}))
    assert more.work == run.work  # other seeds change nothing
    assert train(more) == train(run)
    prepare_other_data()
    works.add(run.work)
    assert len(works) == len(others) + 1


def test_chance_in_the_network_resumes_too(addition_run, monkeypatch):
    """Dropout draws from torch's generator, whose state depends on the step alone."""
    build = Task.build_model

    def with_dropout(self):
        model = build(self)
        model.output.register_forward_pre_hook(
            lambda module, args: functional.dropout(args[0], 0.5, training=module.training)
        )
        return model

    with monkeypatch.context() as patched:
        patched.setattr(Task, "build_model", with_dropout)
        trunk = trained(addition_run)
        branch = branch_of(trunk, 8)
        train(branch)
        assert same(weights_of(branch), weights_of(trunk))
    assert not same(weights_of(trained(addition_run, "plain")), weights_of(trunk))


def test_fixed_frequencies_are_kept_in_the_trajectory(diffusion_run):
    with open_trajectory(trained(diffusion_run).target) as trajectory:
        first, last = (trajectory.buffers(i)["time.frequencies"] for i in (0, -1))
        assert first.shape == (3,)
        assert (first == last).all()


@pytest.mark.cuda
@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@pytest.mark.parametrize(
    ("settings", "share"), [("addition_run", 0.5), ("diffusion_run", 0.9)], indirect=["settings"]
)
def test_mixed_precision_trains_on_cuda(settings, share, precision, monkeypatch):
    monkeypatch.setenv("SPECFLOW_DEVICE", "cuda")
    run = settings.model_copy(update={"precision": precision, "num_epochs": 50})
    with open_trajectory(trained(run).target) as trajectory:
        loss = trajectory.metrics()["train/loss"]
    assert loss[-1] < share * loss[0]
