import torch

from specflow.training.order import branch_order_seed, epoch_order, perturbation_seed, step_seed


def test_order_is_a_permutation():
    assert epoch_order(0, 3, 50).sort().values.equal(torch.arange(50))


def test_order_depends_on_seed_and_epoch_alone():
    torch.manual_seed(1)
    first = epoch_order(5, 2, 100)
    torch.manual_seed(2)
    assert epoch_order(5, 2, 100).equal(first)
    assert not epoch_order(5, 3, 100).equal(first)
    assert not epoch_order(6, 2, 100).equal(first)


def test_no_branch_repeats_the_order_of_a_trunk():
    assert branch_order_seed(0) not in range(2**31)
    assert branch_order_seed(0) != branch_order_seed(1)


def test_seeds_differ_between_steps_orders_and_epochs():
    seeds = {step_seed(order, step) for order in (0, 1, branch_order_seed(0)) for step in range(9)}
    assert len(seeds) == 27
    assert step_seed(4, 7) == step_seed(4, 7)
    generator = torch.Generator().manual_seed(step_seed(0, 1))
    drawn = torch.randperm(50, generator=generator)
    assert not torch.equal(drawn, epoch_order(0, 1, 50))


def test_seeds_of_directions_depend_on_trunk_branch_and_matrix():
    seeds = {
        perturbation_seed(trunk, branch, name)
        for trunk in (0, 1)
        for branch in (0, 1)
        for name in ("a", "b", "ab")
    }
    assert len(seeds) == 12
    assert perturbation_seed(0, 0, "a") == perturbation_seed(0, 0, "a")
