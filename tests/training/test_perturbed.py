"""Branches from perturbed split points, over kills and beside unperturbed ones."""

from pathlib import Path

import numpy as np
import pytest
import torch

from specflow.tasks import load_task
from specflow.training import members as module
from specflow.training.members import Branching, Member, train_members
from specflow.training.order import branch_order_seed, perturbation_seed
from specflow.training.perturbed import Perturbation, perturb_network
from specflow.trajectory import open_trajectory

CPU = torch.device("cpu")
BRANCH_ORDER = branch_order_seed(0)


def trained_trunk(run) -> Path:
    path = Path("trunk.h5")
    train_members([Member("trunk", run, 0, 0, path, run.kept_steps)], "trunk")
    return path


def branch(run, start, order_seed=BRANCH_ORDER, kept=None) -> Member:
    kept = kept or run.kept_steps[-1:]
    return Member("branch", run, 0, order_seed, Path("branch.h5"), kept, start)


def train(job: Member) -> bytes:
    train_members([job], "branch")
    return job.path.read_bytes()


def perturbed_network(run, scale, seed=0):
    task = load_task(run, CPU)
    torch.manual_seed(7)
    model = task.build_model()
    perturb_network(model, task, Perturbation(scale, 100), seed)
    return model


def same(first, second):
    return all(np.array_equal(first[name], second[name]) for name in first)


def test_scale_zero_gives_the_bytes_of_an_unperturbed_branch(digits_run):
    trunk = trained_trunk(digits_run)
    plain = train(branch(digits_run, Branching(trunk, 2)))
    assert train(branch(digits_run, Branching(trunk, 2, Perturbation(0.0, 100)))) == plain
    assert train(branch(digits_run, Branching(trunk, 2, Perturbation(0.5, 100)))) != plain


def test_scale_zero_with_the_trunks_order_ends_at_the_trunks_weights(addition_run):
    trunk = trained_trunk(addition_run)
    start = Branching(trunk, 8, Perturbation(0.0, 10))
    train(branch(addition_run, start, order_seed=0))
    with open_trajectory(trunk) as a, open_trajectory(Path("branch.h5")) as b:
        assert same(a.weights(-1), b.weights(-1))


@pytest.mark.parametrize("survived", [1, 2])
def test_killed_perturbed_branch_resumes_to_the_same_bytes(digits_run, killed_after, survived):
    job = branch(digits_run, Branching(trained_trunk(digits_run), 0, Perturbation(0.5, 100)))
    undisturbed = train(job)
    job.path.unlink()
    killed_after(survived, lambda: train(job))
    assert train(job) == undisturbed


def test_perturbed_start_keeps_norms_optimizer_and_the_last_matrix(addition_run):
    trunk = trained_trunk(addition_run)
    start = Branching(trunk, 8, Perturbation(0.5, 10))
    kept = tuple(step for step in addition_run.kept_steps if step >= 8)
    train(branch(addition_run, start, kept=kept))
    wiring = load_task(addition_run, CPU).build_model().wiring
    matrices = {matrix.view.parameter for matrix in wiring.matrices} - {wiring.last}
    with open_trajectory(trunk) as a, open_trajectory(Path("branch.h5")) as b:
        assert (a.origin.scale, b.origin.scale) == (0.0, 0.5)
        before, after = a.weights(a.index_of(8)), b.weights(b.index_of(8))
        for name, state in a.optimizer(8).items():
            assert same(state, b.optimizer(8)[name])
    for name, weight in before.items():
        assert np.array_equal(after[name], weight) == (name not in matrices), name
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


def test_seeds_of_directions_depend_on_trunk_and_matrix():
    seeds = {perturbation_seed(trunk, name) for trunk in (0, 1) for name in ("a", "b", "ab")}
    assert len(seeds) == 6
    assert perturbation_seed(0, "a") == perturbation_seed(0, "a")


def test_scratch_of_another_perturbation_is_not_resumed(addition_run):
    trunk = trained_trunk(addition_run)
    perturbations = (None, Perturbation(0.5, 10), Perturbation(1.0, 10), Perturbation(0.5, 20))
    folders = {
        module._scratch(branch(addition_run, Branching(trunk, 8, one)), CPU).folder
        for one in perturbations
    }
    assert len(folders) == 4
