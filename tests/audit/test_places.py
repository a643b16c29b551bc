"""Order is told of what has one, and not of what has none."""

import numpy as np
import pytest

from specflow.audit.places import leaves, order_of, squared_distances


def walk(count, seed=0, entries=2000, sizes=1.0):
    random = np.random.default_rng(seed)
    return np.cumsum(sizes * random.normal(size=(count, entries)), axis=0)


def test_squared_distances_match_naive():
    points = walk(6, entries=300)
    naive = [[np.mean((a - b) ** 2) for b in points] for a in points]
    np.testing.assert_allclose(squared_distances(points), naive, atol=1e-12)


def test_only_the_ends_of_a_path_are_leaves():
    lengths = leaves(squared_distances(walk(10, entries=20000)))
    assert lengths[[0, -1]] == pytest.approx(1, abs=0.1)
    assert lengths[1:-1].max() < 0.1


def test_noise_of_a_step_is_its_leaf():
    noise = np.random.default_rng(1).normal(size=20000)
    points = np.zeros((6, 20000))
    points[3] = 2 * noise
    assert leaves(squared_distances(points)) == pytest.approx([0, 0, 0, 4, 0, 0], abs=0.1)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 10, 60])
def test_path_in_order_stays_as_it_is(count):
    order = order_of(walk(count))
    assert order.path == tuple(range(count))
    assert not order.doubtful


@pytest.mark.parametrize("seed", range(5))
def test_moved_points_are_put_back(seed):
    points, random = walk(30, seed), np.random.default_rng(seed)
    places = random.choice(30, size=6, replace=False)
    claimed = np.arange(30)
    claimed[places] = np.roll(places, 1)
    assert claimed[list(order_of(points[claimed]).path)].tolist() == list(range(30))


def test_points_at_equal_distances_have_no_order():
    noise = np.random.default_rng(0).normal(size=(30, 400))
    assert order_of(noise).path == tuple(range(30))


def test_noise_of_any_size_for_each_step_is_no_order():
    """Quiet steps are nearer to each other than to those between, and still in their places."""
    random = np.random.default_rng(0)
    sizes = np.tile([3.0, 2.0, 1.0, 0.0], 6)[:, None]
    points = walk(24, sizes=0.3) + sizes * random.normal(size=(24, 2000))
    assert order_of(points).path == tuple(range(24))


def test_early_moves_longer_than_late_ones_do_not_matter():
    sizes = np.geomspace(100, 0.01, 40)[:, None]
    assert order_of(walk(40, sizes=sizes)).path == tuple(range(40))


def test_exchange_that_its_mirror_explains_as_well_is_a_doubt():
    """Of four steps, the inner two exchanged are the outer two exchanged, seen backwards."""
    order = order_of(walk(4)[[0, 2, 1, 3]])
    assert order.path == (0, 1, 2, 3)
    assert {order.exchanged, order.doubtful} == {(1, 2), (0, 3)}


def test_few_directions_of_noise_are_no_order():
    """What looks like many independent entries may move in few directions."""
    random = np.random.default_rng(0)
    points = random.normal(size=(20, 10)) @ random.normal(size=(10, 3000))
    assert order_of(points).path == tuple(range(20))
