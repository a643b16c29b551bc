import numpy as np
import pytest
import torch
from torch.nn import functional

from specflow import paths
from specflow.hdf5 import open_file
from specflow.layouts import PRUNING
from specflow.measure.pruning import PruningJob, measure_pruning
from specflow.params.tasks import InterventionParams
from specflow.tasks import load_task
from specflow.training.members import Member, train_members
from specflow.trajectory import open_trajectory


def measure(run, fractions=(0.5,)):
    source, target = paths.trajectory(run.experiment, 0), paths.pruning(run.experiment, 0)
    train_members([Member("m", run, 0, 0, source, run.kept_steps)], "train")
    params = InterventionParams(keep_fractions=fractions, batch_norm_samples=100)
    measure_pruning(PruningJob(run, params, source, target), lambda done: None)
    return source, target


def naive_pruned(weight, keep):
    matrix = weight.reshape(len(weight), -1).astype(np.float64)
    U, S, Vh = np.linalg.svd(matrix, full_matrices=False)
    half = -(-len(S) // 2)
    S[slice(half, None) if keep == "top" else slice(0, half)] = 0
    return ((U * S) @ Vh).reshape(weight.shape)


@pytest.mark.parametrize("keep", ["top", "bottom"])
def test_transformer_losses_match_a_naive_pruning(addition_run, keep):
    source, target = measure(addition_run)
    task = load_task(addition_run, torch.device("cpu"))
    model = task.build_model()
    part = task.data["validation"]
    with open_trajectory(source) as trajectory, open_file(target, PRUNING) as file:
        for index in (0, -1):
            weights = {
                name: naive_pruned(w, keep) if w.ndim > 1 and name != "output.weight" else w
                for name, w in trajectory.weights(index).items()
            }
            model.load_state_dict({n: torch.tensor(w).float() for n, w in weights.items()})
            logits = model(part["inputs"]).detach()
            loss = functional.cross_entropy(logits, part["targets"]).item()
            found = file[f"{keep}/0.5/validation"]
            assert found["loss"][index] == pytest.approx(loss, rel=1e-4)
            error = (logits.argmax(1) != part["targets"]).float().mean().item()
            assert found["error"][index] == pytest.approx(error)


def test_full_model_is_the_runs_own_history(digits_run):
    source, target = measure(digits_run)
    with open_trajectory(source) as trajectory, open_file(target, PRUNING) as file:
        for key, values in trajectory.metrics().items():
            assert file[f"full/1.0/{key}"][:].tolist() == values.tolist()


def test_batch_norm_statistics_are_reestimated_on_training_data(digits_run):
    source, target = measure(digits_run)
    task = load_task(digits_run, torch.device("cpu"))
    model = task.build_model()
    with open_trajectory(source) as trajectory, open_file(target, PRUNING) as file:
        weights = {
            name: naive_pruned(w, "top") if w.ndim > 1 and name != "classifier.weight" else w
            for name, w in trajectory.weights(-1).items()
        } | trajectory.buffers(-1)
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


def test_every_fraction_is_measured(addition_run):
    _, target = measure(addition_run, (0.25, 0.5))
    with open_file(target, PRUNING) as file:
        assert set(file["top"]) == set(file["bottom"]) == {"0.25", "0.5"}
        assert file["top/0.25/train/loss"][-1] != file["top/0.5/train/loss"][-1]
