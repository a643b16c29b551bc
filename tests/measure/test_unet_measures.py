"""Every measurement works on a UNet, whose transposed convolutions have their inputs first."""

import numpy as np
import pytest
import torch

from specflow import paths
from specflow.hdf5 import open_file
from specflow.layouts import SPECTRA
from specflow.measure.evaluation import Pruned
from specflow.measure.spectra import SpectraJob, measure_spectra
from specflow.models import wiring_of
from specflow.params.tasks import SpectraParams
from specflow.tasks import load_task
from specflow.training.members import Member, train_members
from specflow.trajectory import open_trajectory

PARAMS = SpectraParams(diagonal_length=5, score_length=3, mass=0.9)


@pytest.fixture
def trajectory(diffusion_run):
    path = paths.trajectory("images", 0)
    train_members([Member("m", diffusion_run, 0, 0, path, diffusion_run.kept_steps)], "train")
    return path


def outputs_by_inputs(name, weight):
    transposed = name == "output.weight" or (name.startswith("up.") and weight.ndim == 4)
    matrix = np.swapaxes(weight, 0, 1) if transposed else weight
    return matrix.reshape(len(matrix), -1).astype(np.float64)


def test_spectra_of_every_matrix_and_pair_are_measured(diffusion_run, trajectory):
    wiring = wiring_of(diffusion_run.model, diffusion_run.dataset.shape)
    target = paths.spectra("images", 0)
    measure_spectra(SpectraJob(trajectory, target, wiring, PARAMS), lambda done: None, workers=1)
    with open_trajectory(trajectory) as kept, open_file(target, SPECTRA) as file:
        weights = {n: w for n, w in kept.weights(-1).items() if w.ndim > 1}
        assert set(file["matrices"]) == set(weights)
        for name, weight in weights.items():
            S = np.linalg.svd(outputs_by_inputs(name, weight), compute_uv=False)
            found = file["matrices"][name]["singular_values"][-1]
            assert found == pytest.approx(S, abs=1e-6 * S[0]), name
        assert len(file["pairs"]) == 17
        for pair in file["pairs"].values():
            assert np.isfinite(pair["alignment"][:]).all()
            assert pair["kernel_scores"].shape == (4, 3, 3)


@pytest.mark.parametrize("keep", ["top", "bottom"])
def test_pruned_kernels_are_the_best_approximations_of_outputs_by_inputs(
    diffusion_run, trajectory, keep
):
    wiring = wiring_of(diffusion_run.model, diffusion_run.dataset.shape)
    with open_trajectory(trajectory) as kept:
        weights = kept.weights(-1)
    tensors = {name: torch.from_numpy(w) for name, w in weights.items()}
    pruned = Pruned(tensors, wiring).weights((keep, 0.5))
    assert torch.equal(pruned["output.weight"], tensors["output.weight"])
    for name in ("up.0.conv.weight", "down.2.conv.weight", "down.1.dense.weight"):
        U, S, Vh = np.linalg.svd(outputs_by_inputs(name, weights[name]), full_matrices=False)
        half = -(-len(S) // 2)
        S[slice(half, None) if keep == "top" else slice(0, half)] = 0
        found = outputs_by_inputs(name, pruned[name].numpy())
        assert found == pytest.approx((U * S) @ Vh, abs=1e-5)


def test_pruning_changes_the_evaluation_and_nothing_else_does(diffusion_run, trajectory):
    task = load_task(diffusion_run, torch.device("cpu"))
    model = task.build_model()
    wiring = model.wiring
    with open_trajectory(trajectory) as kept:
        arrays = {**kept.weights(-1), **kept.buffers(-1)}
        history = {key: values[-1] for key, values in kept.metrics().items()}
    tensors = {name: torch.from_numpy(w) for name, w in arrays.items()}
    model.load_state_dict(tensors)
    assert task.evaluate_all(model) == pytest.approx(history, rel=1e-6)
    model.load_state_dict(Pruned(tensors, wiring).weights(("bottom", 0.5)))
    assert task.evaluate_all(model)["validation/loss"] != pytest.approx(history["validation/loss"])
