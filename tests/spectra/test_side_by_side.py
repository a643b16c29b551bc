import threading

import pytest
import torch

from specflow.spectra import decompose
from specflow.spectra.side_by_side import decompose_all, map_matrices


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def _weights() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = {"small": (3, 5), "conv": (70, 30, 3, 3), "tall": (200, 60), "zero": (8, 8)}
    weights = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    weights["zero"].zero_()
    return weights


@pytest.mark.usefixtures("two_threads")
def test_results_do_not_depend_on_workers_to_the_last_bit():
    one, three = (decompose_all(_weights(), 20, workers) for workers in (1, 3))
    for name in _weights():
        assert all(torch.equal(a, b) for a, b in zip(one[name], three[name], strict=True))


def test_results_are_those_of_decompose_in_the_given_order():
    found = decompose_all(_weights(), None, workers=2)
    assert list(found) == list(_weights())
    for name, weight in _weights().items():
        torch.testing.assert_close(found[name].S, decompose(weight).S)
        assert found[name].U.shape == decompose(weight).U.shape


@pytest.mark.usefixtures("two_threads")
def test_every_call_has_one_blas_thread_and_the_number_is_restored():
    def threads(_, __):
        return torch.get_num_threads()

    assert set(map_matrices(threads, _weights(), workers=2).values()) == {1}
    assert torch.get_num_threads() == 2
    seen = []
    thread = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert seen == [2]


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("workers", [1, 2])
def test_error_names_the_largest_bad_matrix(workers):
    weights = _weights()
    weights["small"][0, 0] = torch.inf
    weights["conv"][0, 0, 0, 0] = torch.nan
    weights["tall"][0, 0] = torch.inf
    with pytest.raises(ValueError, match="conv: 1 of 18900 entries are not finite"):
        decompose_all(weights, None, workers)
    assert torch.get_num_threads() == 2


def test_matrix_that_does_not_converge_is_named():
    def give_up(_, __):
        raise torch.linalg.LinAlgError("did not converge")

    with pytest.raises(ArithmeticError, match="conv: did not converge"):
        map_matrices(give_up, _weights(), workers=1)


@pytest.mark.parametrize("workers", [1, 2])
def test_of_many_weights_each_has_its_own_result_and_the_largest_comes_first(workers):
    sizes = [1 + n % 7 for n in range(500)] + [256]
    weights = {n: torch.full((size, size), float(n)) for n, size in enumerate(sizes)}
    order = []

    def entry(key, weight):
        order.append(key)
        return weight[0, 0].item()

    found = map_matrices(entry, weights, workers)
    assert list(found.items()) == [(n, float(n)) for n in weights]
    assert sorted(order) == list(weights)
    if workers == 1:
        assert [sizes[n] for n in order] == sorted(sizes, reverse=True)


def test_one_bad_matrix_among_many_small_ones_is_named():
    weights = {n: torch.ones(3, 3) for n in range(500)}
    weights[321] = torch.full((3, 3), torch.nan)
    with pytest.raises(ValueError, match=r"^321: 9 of 9 entries are not finite"):
        decompose_all(weights, None, workers=2)


def test_function_sees_key_and_weight():
    found = map_matrices(lambda key, weight: (key, weight.shape), _weights(), workers=2)
    assert found["tall"] == ("tall", (200, 60))


def test_no_weights_give_no_results():
    assert decompose_all({}, None, workers=2) == {}


def test_no_workers_are_refused():
    with pytest.raises(ValueError, match="workers is 0"):
        decompose_all(_weights(), None, workers=0)
