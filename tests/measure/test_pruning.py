from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.measure.made_up import SCRATCH, WORK, Killed, dies_after, svd, task_of, write_run
from torch.nn import functional

from specflow import paths
from specflow.checkpoints.trajectory import open_trajectory
from specflow.errors import SpecflowError
from specflow.hdf5 import open_file
from specflow.interventions.batch_norm import reestimate_batch_norm
from specflow.measure.evaluation import Evaluation, Pruned
from specflow.measure.layouts import PRUNING
from specflow.measure.pruning import PruningJob, measure_pruning
from specflow.measure.settings import PruningParams

KEPT = ("full/1.0", "top/0.5", "bottom/0.5")


def job_of(run, fractions=(0.5,)):
    source = write_run(run, paths.trajectory(run.experiment, 0), [0, 1, 5])
    settings = PruningParams(keep_fractions=fractions, batch_norm_samples=100)
    target = paths.pruning(run.experiment, 0)
    return PruningJob(run, settings, source, target, WORK)


def measured(job):
    done = []
    measure_pruning(job, done.append)
    assert done == [1, 1, 1]
    return open_file(job.target, PRUNING)


def naive_pruned(weight, keep, fraction):
    matrix = np.asarray(weight, dtype=np.float64)
    U, S, Vh = svd(matrix)
    kept = -(-len(S) * fraction // 1) if keep == "top" else len(S) - len(S) * fraction // 1
    S[slice(int(kept), None) if keep == "top" else slice(0, int(kept))] = 0
    return ((U * S) @ Vh).reshape(matrix.shape)


def with_pruned(weights, last, *how):
    return {n: naive_pruned(w, *how) if w.ndim > 1 and n != last else w for n, w in weights.items()}


@pytest.mark.parametrize("keep", ["top", "bottom"])
@pytest.mark.parametrize("fraction", [0.25, 0.5])
def test_losses_match_a_naive_pruning(addition_run, keep, fraction):
    job, task = job_of(addition_run, (0.25, 0.5)), task_of(addition_run)
    model, part = task.build_model(), task.data["validation"]
    with open_trajectory(job.source) as trajectory, measured(job) as file:
        assert set(file[keep]) == {"0.25", "0.5"}
        for index in range(3):
            weights = with_pruned(trajectory.weights(index), "output.weight", keep, fraction)
            model.load_state_dict({n: torch.tensor(w).float() for n, w in weights.items()})
            logits = model(part["inputs"]).detach()
            loss = functional.cross_entropy(logits, part["targets"]).item()
            error = (logits.argmax(1) != part["targets"]).float().mean().item()
            found = file[f"{keep}/{fraction}/validation"]
            assert found["loss"][index] == pytest.approx(loss, rel=1e-4)
            assert found["error"][index] == pytest.approx(error)


def test_full_model_is_the_runs_own_history(digits_run):
    job = job_of(digits_run)
    with open_trajectory(job.source) as trajectory, measured(job) as file:
        for key, values in trajectory.metrics().items():
            assert file[f"full/1.0/{key}"][:].tolist() == values.tolist()


def test_batch_norm_statistics_are_reestimated_on_training_data(digits_run):
    job, task = job_of(digits_run), task_of(digits_run)
    model = task.build_model()
    with open_trajectory(job.source) as trajectory, measured(job) as file:
        weights = with_pruned(trajectory.weights(-1), "classifier.weight", "top", 0.5)
        weights |= trajectory.buffers(-1)
        found = file["top/0.5/validation/loss"][-1]
    model.load_state_dict({n: torch.as_tensor(np.asarray(w)).float() for n, w in weights.items()})
    stale = task.evaluate(model, "validation")["loss"]
    for layer in model.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = 1.0  # the statistics of the one batch alone
    model.train()
    with torch.no_grad():
        model(task.data["train"]["inputs"][:100])
    assert found == pytest.approx(task.evaluate(model, "validation")["loss"], rel=1e-4)
    assert found != pytest.approx(stale, rel=1e-3)


def test_full_model_is_reestimated_as_pruned_ones_are(digits_run):
    job, task = job_of(digits_run), task_of(digits_run)
    model = task.build_model()
    with open_trajectory(job.source) as trajectory, measured(job) as file:
        weights = {**trajectory.weights(-1), **trajectory.buffers(-1)}
        found = file["reestimated/1.0/validation/loss"][-1]
        history = file["full/1.0/validation/loss"][-1]
    model.load_state_dict({n: torch.as_tensor(np.asarray(w)) for n, w in weights.items()})
    reestimate_batch_norm(model, lambda: model(task.data["train"]["inputs"][:100]))
    assert found == pytest.approx(task.evaluate(model, "validation")["loss"], rel=1e-4)
    assert found != pytest.approx(history, rel=1e-4)


def test_without_batch_norm_there_is_nothing_to_reestimate(addition_run):
    with measured(job_of(addition_run)) as file:
        assert set(file) == {"step", "epoch", "full", "top", "bottom"}


def test_kernels_of_a_unet_are_pruned_as_outputs_by_inputs(diffusion_run):
    """Transposed convolutions have their inputs first."""
    model = task_of(diffusion_run).build_model()
    weights = model.state_dict()
    pruned = Pruned(weights, model.wiring).weights(("top", 0.5))
    assert torch.equal(pruned["output.weight"], weights["output.weight"])
    for name in ("up.0.conv.weight", "down.2.conv.weight", "down.1.dense.weight"):
        before, after = weights[name].numpy(), pruned[name].numpy()
        if name.startswith("up"):
            before, after = (np.swapaxes(w, 0, 1) for w in (before, after))
        assert after == pytest.approx(naive_pruned(before, "top", 0.5), abs=1e-5)


def test_of_some_steps_there_are_the_same_numbers_as_among_all(addition_run):
    job = job_of(addition_run)
    with measured(job) as file:
        names = [f"{how}/{part}" for how in KEPT for part in ("train/error", "validation/loss")]
        expected = {name: file[name][[0, 2]].tolist() for name in ("step", "epoch", *names)}
    done = []
    measure_pruning(replace(job, steps=(0, 5)), done.append)
    assert done == [1, 1]
    with open_file(job.target, PRUNING) as file:
        assert file["step"][:].tolist() == [0, 5]
        assert {name: file[name][:].tolist() for name in expected} == expected


def test_other_data_than_the_runs_are_refused(addition_run):
    job = job_of(addition_run)
    write_run(addition_run, job.source, [0, 1, 5], fingerprint="another")
    with pytest.raises(SpecflowError, match="was trained on data of fingerprint another"):
        measure_pruning(job, lambda done: None)
    assert not job.target.exists()


def test_a_killed_measurement_goes_on_to_the_same_bytes(addition_run, monkeypatch):
    job, done = job_of(addition_run), []
    measured(job)
    whole = job.target.read_bytes()
    job.target.unlink()
    evaluate = Evaluation.metrics
    monkeypatch.setattr(Evaluation, "metrics", dies_after(3, evaluate))
    with pytest.raises(Killed):
        measure_pruning(job, done.append)
    assert not job.target.exists()
    monkeypatch.setattr(Evaluation, "metrics", dies_after(4, evaluate))  # of 2 checkpoints
    measure_pruning(job, done.append)
    assert job.target.read_bytes() == whole
    assert done == [1] * (1 + 3)
    assert not SCRATCH.folder.exists()
