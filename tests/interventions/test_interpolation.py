import math

import pytest
import torch

from specflow.interventions.interpolation import interpolate, loss_barrier


def _network(seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        "weight": torch.randn(3, 4, generator=generator),
        "bias": torch.randn(3, generator=generator, dtype=torch.float64),
        "batches": torch.tensor(seed),
    }


def test_ends_are_exact():
    start, end = _network(1), _network(2)
    for alpha, expected in ((0.0, start), (1.0, end)):
        found = interpolate(start, end, alpha)
        assert all(torch.equal(found[name], expected[name]) for name in start)


@pytest.mark.parametrize("alpha", [0.1, 0.3, 0.5, 0.9])
def test_matches_the_formula(alpha):
    start, end = _network(1), _network(2)
    found = interpolate(start, end, alpha)
    for name in ("weight", "bias"):
        expected = (1 - alpha) * start[name] + alpha * end[name]
        torch.testing.assert_close(found[name], expected)
        assert found[name].dtype == start[name].dtype


def test_line_from_a_network_to_itself_does_not_move():
    start = _network(1)
    found = interpolate(start, start, 0.3)
    assert all(torch.equal(found[name], start[name]) for name in start)


@pytest.mark.parametrize(("alpha", "batches"), [(0.4, 1), (0.5, 1), (0.6, 2)])
def test_integers_come_from_the_nearer_end(alpha, batches):
    assert int(interpolate(_network(1), _network(2), alpha)["batches"]) == batches


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_result_shares_no_memory_and_no_gradient(alpha):
    start, end = _network(1), _network(2)
    start["weight"].requires_grad_()
    for tensor in interpolate(start, end, alpha).values():
        assert not tensor.requires_grad
        tensor.zero_()
    for network, seed in ((start, 1), (end, 2)):
        assert all(torch.equal(network[name], kept) for name, kept in _network(seed).items())


def test_other_names_shapes_dtypes_and_positions_are_refused():
    start = _network(1)
    with pytest.raises(ValueError, match="'extra'"):
        interpolate(start, {**start, "extra": torch.ones(1)}, 0.5)
    with pytest.raises(ValueError, match=r"weight is .*\(3, 4\).*\(4, 3\)"):
        interpolate(start, {**start, "weight": torch.ones(4, 3)}, 0.5)
    with pytest.raises(ValueError, match=r"bias is torch\.float64 .*torch\.float32"):
        interpolate(start, {**start, "bias": torch.ones(3)}, 0.5)
    for alpha in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="alpha is"):
            interpolate(start, start, alpha)


def test_barrier_is_the_largest_rise_above_the_line_between_the_ends():
    alphas = [0.0, 0.25, 0.5, 1.0]
    assert loss_barrier(alphas, [1.0, 5.0, 4.0, 3.0]) == 3.5
    assert loss_barrier(alphas, [1.0, 1.0, 3.5, 3.0]) == 1.5


def test_straight_line_has_no_barrier_and_a_valley_a_negative_one():
    alphas = torch.linspace(0, 1, 11).tolist()
    assert loss_barrier(alphas, [2 + 3 * alpha for alpha in alphas]) == pytest.approx(0, abs=1e-6)
    valley = [(alpha - 0.5) ** 2 for alpha in alphas]
    assert loss_barrier(alphas, valley) == pytest.approx(0.16 - 0.25, abs=1e-6)


def test_barrier_does_not_change_with_direction_or_a_constant():
    alphas = [0.0, 0.25, 0.5, 0.75, 1.0]
    losses = [0.3, 0.9, 0.4, 0.7, 0.1]
    barrier = loss_barrier(alphas, losses)
    assert loss_barrier(alphas, losses[::-1]) == pytest.approx(barrier)
    assert loss_barrier(alphas, [loss + 5 for loss in losses]) == pytest.approx(barrier)


@pytest.mark.parametrize(
    ("alphas", "losses", "message"),
    [
        ([0.0, 1.0], [1.0, 1.0], "alphas are"),
        ([0.0, 0.5], [1.0, 1.0], "alphas are"),
        ([0.1, 0.5, 1.0], [1.0, 1.0, 1.0], "alphas are"),
        ([0.0, 0.5, 0.5, 1.0], [1.0] * 4, "alphas are"),
        ([0.0, 0.5, 1.0], [1.0, 1.0], "expected 3 finite"),
        ([0.0, 0.5, 1.0], [1.0, math.nan, 1.0], "expected 3 finite"),
    ],
)
def test_bad_curves_are_refused(alphas, losses, message):
    with pytest.raises(ValueError, match=message):
        loss_barrier(alphas, losses)
