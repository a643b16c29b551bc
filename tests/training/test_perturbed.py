"""Branches from perturbed split points, over kills and beside unperturbed ones."""

import numpy as np
import pytest
import torch
from tests.training.made_up import CPU, branch_of, same, task_of, train, trained, weights_of

from specflow.checkpoints.trajectory import open_trajectory
from specflow.training import runs as module
from specflow.training.order import branch_order_seed
from specflow.training.perturbed import Perturbation, perturb_network

OTHER_ORDER = {"order_seed": branch_order_seed(0)}


def perturbed_network(run, scale, seed=0):
    task = task_of(run)
    torch.manual_seed(7)
    model = task.build_model()
    perturb_network(model, task, Perturbation(scale, 100), seed)
    return model


def test_scale_zero_gives_the_bytes_of_an_unperturbed_branch(digits_run):
    trunk = trained(digits_run)
    scales = (None, Perturbation(0.0, 100), Perturbation(0.5, 100))
    plain, zero, half = (train(branch_of(trunk, 2, scale, **OTHER_ORDER)) for scale in scales)
    assert zero == plain != half


def test_scale_zero_with_the_trunks_order_ends_at_the_trunks_weights(addition_run):
    trunk = trained(addition_run)
    branch = branch_of(trunk, 8, Perturbation(0.0, 10))
    train(branch)
    assert same(weights_of(trunk), weights_of(branch))


@pytest.mark.parametrize("survived", [2, 3])
def test_killed_perturbed_branch_resumes_to_the_same_bytes(digits_run, killed_after, survived):
    branch = branch_of(trained(digits_run), 0, Perturbation(0.5, 100), **OTHER_ORDER)
    undisturbed = train(branch)
    branch.path.unlink()
    killed_after(survived, lambda: train(branch))
    assert train(branch) == undisturbed


def test_perturbed_start_keeps_norms_optimizer_and_the_last_matrix(addition_run):
    trunk = trained(addition_run)
    branch = branch_of(trunk, 8, Perturbation(0.5, 10), kept=(8, 12, 16))
    train(branch)
    *matrices, output = task_of(addition_run).build_model().wiring.matrices
    assert output.name == "output.weight"
    names = {matrix.name for matrix in matrices}
    with open_trajectory(trunk.path) as a, open_trajectory(branch.path) as b:
        assert (a.origin.scale, b.origin.scale) == (0.0, 0.5)
        before, after = a.weights(a.index_of(8)), b.weights(b.index_of(8))
        for name, state in a.optimizer(8).items():
            assert same(state, b.optimizer(8)[name])
    for name, weight in before.items():
        assert np.array_equal(after[name], weight) == (name not in names), name
        norms = [np.linalg.norm(w.astype(np.float64)) for w in (weight, after[name])]
        assert norms[1] == pytest.approx(norms[0], rel=1e-6)


def test_batch_norm_statistics_are_those_of_the_perturbed_network(digits_run):
    plain, perturbed = (perturbed_network(digits_run, scale) for scale in (0.0, 0.5))
    norm, other = (
        next(m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d))
        for model in (perturbed, plain)
    )
    assert int(norm.num_batches_tracked) == 1
    assert int(other.num_batches_tracked) == 0
    assert not torch.allclose(norm.running_mean, other.running_mean)


def test_scales_of_a_trunk_lie_along_one_direction(addition_run):
    name = "blocks.0.linear1.weight"
    W, small, large = (
        perturbed_network(addition_run, scale).get_parameter(name).detach().double()
        for scale in (0.0, 0.5, 2.5)
    )
    W, small, large = (weight / weight.norm() for weight in (W, small, large))
    rejected = [w - (w * W).sum() * W for w in (small, large)]
    first, second = (r / r.norm() for r in rejected)
    assert float((first * second).sum()) == pytest.approx(1, abs=1e-5)
    other = perturbed_network(addition_run, 0.5, seed=1).get_parameter(name).detach().double()
    other = other / other.norm() - (other / other.norm() * W).sum() * W
    assert abs(float((first * other / other.norm()).sum())) < 0.5  # another trunk's


def test_scratch_of_another_perturbation_is_not_resumed(addition_run):
    trunk = trained(addition_run)
    perturbations = (None, Perturbation(0.5, 10), Perturbation(1.0, 10), Perturbation(0.5, 20))
    branches = [branch_of(trunk, 8, perturbation) for perturbation in perturbations]
    assert len({module._scratch(branch, CPU).folder for branch in branches}) == 4
