import torch

from specflow.training.order import branch_order_seed, epoch_order


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
