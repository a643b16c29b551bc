import itertools

import numpy as np
import pytest

from specflow.audit.order import best_order


def distances(points):
    points = np.asarray(points, dtype=float).reshape(len(points), -1)
    return np.linalg.norm(points[:, None] - points[None], axis=-1)


def walk(count, seed=0, dimension=200):
    return np.cumsum(np.random.default_rng(seed).normal(size=(count, dimension)), axis=0)


def test_a_path_in_order_stays_as_it_is():
    for count in (1, 2, 3, 10, 60):
        assert best_order(distances(walk(count))) == list(range(count))


def test_any_permutation_of_a_short_line_is_found_up_to_its_direction():
    line = np.array([0.0, 1.0, 3.0, 4.0, 7.0])
    for order in itertools.permutations(range(5)):
        found = line[list(order)][best_order(distances(line[list(order)]))].tolist()
        assert found in (sorted(line), sorted(line, reverse=True))


@pytest.mark.parametrize("seed", range(5))
def test_shuffled_walk_is_put_in_order(seed):
    points = walk(40, seed)
    places = np.random.default_rng(seed).choice(40, size=9, replace=False)
    order = np.arange(40)
    order[places] = np.roll(places, 1)
    found = best_order(distances(points[order]))
    assert order[found].tolist() == list(range(40))


def test_points_at_equal_distances_stay_in_the_claimed_order():
    noise = np.random.default_rng(0).normal(size=(30, 400))
    assert best_order(distances(noise)) == list(range(30))


def test_early_moves_longer_than_late_ones_do_not_matter():
    sizes = np.geomspace(100, 0.01, 40)[:, None]
    points = np.cumsum(sizes * np.random.default_rng(0).normal(size=(40, 300)), axis=0)
    assert best_order(distances(points)) == list(range(40))
