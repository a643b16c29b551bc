"""Branches from perturbed split points, over kills and beside unperturbed ones."""

import numpy as np
import pytest
import torch
from tests.training.made_up import branch_of, same, task_of, train, trained

from specflow.checkpoints.trajectory import open_trajectory
from specflow.scratch import Scratch
from specflow.training import runs as module
from specflow.training.loop import Trainer
from specflow.training.order import branch_order_seed
from specflow.training.perturbed import Perturbation


def perturbed_branch(trunk, step, scale, samples=100, **changes):
    return branch_of(trunk, step, intervention=Perturbation(scale, 0, 0, samples), **changes)


def perturbed_network(run, scale, seed=0, branch=0):
    task = task_of(run)
    torch.manual_seed(7)
    trainer = Trainer(run, task, task.build_model(), 0)
    Perturbation(scale, seed, branch, 100).begin(trainer)
    return trainer.model


def test_scale_zero_gives_the_bytes_of_an_unperturbed_branch(digits_run):
    trunk, other_order = trained(digits_run), {"order_seed": branch_order_seed(0)}
    plain = train(branch_of(trunk, 2, **other_order))
    zero, half = (train(perturbed_branch(trunk, 2, scale, **other_order)) for scale in (0.0, 0.5))
    assert zero == plain != half


@pytest.mark.parametrize("survived", [2, 3])
def test_killed_branch_resumes_to_the_same_bytes(digits_run, killed_and_resumed, survived):
    branch = perturbed_branch(trained(digits_run), 0, 0.5, order_seed=branch_order_seed(0))
    undisturbed = train(branch)
    assert killed_and_resumed(branch, survived)[0] == undisturbed


def test_perturbed_start_keeps_norms_and_the_last_matrix(addition_run):
    trunk = trained(addition_run)
    branch = perturbed_branch(trunk, 8, 0.5, kept=(8, 12, 16))
    train(branch)
    *matrices, output = task_of(addition_run).build_model().wiring.matrices
    assert output.name == "output.weight"
    names = {matrix.name for matrix in matrices}
    with open_trajectory(trunk.target) as a, open_trajectory(branch.target) as b:
        assert (a.origin.scale, b.origin.scale) == (0.0, 0.5)
        before, after = a.weights(a.index_of(8)), b.weights(b.index_of(8))
    for name, weight in before.items():
        assert np.array_equal(after[name], weight) == (name not in names), name
        norms = [np.linalg.norm(w.astype(np.float64)) for w in (weight, after[name])]
        assert norms[1] == pytest.approx(norms[0], rel=1e-6)


def test_perturbed_start_keeps_the_optimizer_of_the_trunk(addition_run, tmp_path):
    trunk = trained(addition_run)
    task, scratch = task_of(addition_run), Scratch(tmp_path)
    trainer = Trainer(addition_run, task, task.build_model(), 0)
    assert module._take_up(perturbed_branch(trunk, 8, 0.5), trainer, scratch) == 8
    state = trainer.export_state()
    with open_trajectory(trunk.target) as trajectory:
        expected = trajectory.optimizer(8)
    assert state.keys() == expected.keys()
    assert all(same(expected[name], state[name]) for name in expected)


def test_batch_norm_statistics_are_those_of_the_perturbed_network(digits_run):
    plain, perturbed = (perturbed_network(digits_run, scale) for scale in (0.0, 0.5))
    norm, other = (
        next(m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d))
        for model in (perturbed, plain)
    )
    assert int(norm.num_batches_tracked) == 1
    assert int(other.num_batches_tracked) == 0
    assert not torch.allclose(norm.running_mean, other.running_mean)


def test_scales_of_a_branch_lie_along_one_line_and_branches_along_others(addition_run):
    def weight_at(scale, seed=0, branch=0):
        model = perturbed_network(addition_run, scale, seed, branch)
        weight = model.get_parameter("blocks.0.linear1.weight").detach().double()
        return weight / weight.norm()

    def direction(weight):
        rejected = weight - (weight * start).sum() * start
        return rejected / rejected.norm()

    start = weight_at(0.0)
    of_trunk, of_branch = weight_at(0.5, seed=1), weight_at(0.5, branch=1)
    first, second, *others = map(direction, (weight_at(0.5), weight_at(2.5), of_trunk, of_branch))
    assert float((first * second).sum()) == pytest.approx(1, abs=1e-5)
    for other in others:  # d independent entries: the cosine is about d**-0.5
        assert abs(float((first * other).sum())) < 5 * first.numel() ** -0.5


def test_scratch_of_another_perturbation_is_not_resumed(addition_run):
    trunk = trained(addition_run)
    branches = [branch_of(trunk, 8)]
    branches += [perturbed_branch(trunk, 8, *how) for how in ((0.5, 10), (1.0, 10), (0.5, 20))]
    assert len({branch.work for branch in branches}) == 4
