import pytest
import torch

from specflow.interventions.perturbation import gaussian_direction, perturb
from specflow.spectra import singular_vector_agreement

SHAPES = [(20, 33), (8, 3, 3, 3), (1, 6)]
SCALES = [0.1, 0.25, 0.5, 1.0, 2.5]


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return gaussian_direction(torch.Size(shape), seed)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("shape", SHAPES)
def test_matches_naive(shape, scale):
    W, G = _random(*shape), _random(*shape, seed=1)
    moved = W + scale * W.norm() * G / G.norm()
    naive = moved / moved.norm() * W.norm()
    torch.testing.assert_close(perturb(W, G, scale), naive, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("size", [1e-30, 1.0, 1e30])
def test_norm_is_unchanged(size, scale, dtype):
    W = (size * _random(64, 40)).to(dtype)
    perturbed = perturb(W, _random(64, 40, seed=1), scale)
    assert perturbed.dtype == dtype
    assert float(perturbed.double().norm() / W.double().norm()) == pytest.approx(1, rel=1e-6)
    assert not torch.equal(perturbed, W)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_scale_zero_returns_the_weight_bit_by_bit(dtype):
    W = _random(12, 18).to(dtype)
    W[0, :2] = torch.tensor([0.0, -0.0])
    perturbed = perturb(W, _random(12, 18, seed=1), 0.0)
    bits = {torch.float32: torch.int32, torch.bfloat16: torch.int16}[dtype]
    assert torch.equal(perturbed.view(bits), W.view(bits))
    perturbed.zero_()
    assert W.any()


def test_zero_weight_stays_zero():
    assert torch.equal(perturb(torch.zeros(4, 6), _random(4, 6), 1.0), torch.zeros(4, 6))


def test_the_size_of_the_direction_does_not_matter():
    W, G = _random(9, 7), _random(9, 7, seed=1)
    torch.testing.assert_close(perturb(W, 1e3 * G, 0.5), perturb(W, G, 0.5))


def test_a_larger_scale_breaks_more_of_the_top_directions():
    """Negative control: a step along W itself breaks nothing."""
    W, G = torch.diag(2.0 ** -torch.arange(20.0)), _random(20, 20, seed=1)

    def agreement(direction: torch.Tensor, scale: float) -> float:
        perturbed = perturb(W, direction, scale)
        return float(singular_vector_agreement(W, perturbed).diagonal()[:3].mean())

    scores = [agreement(G, scale) for scale in (0.0, *SCALES)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0.999
    assert scores[-1] < 0.5
    assert agreement(W, 2.5) > 0.999


def test_weight_is_not_changed_and_result_has_no_gradient():
    W = _random(4, 5).float().requires_grad_()
    before = W.detach().clone()
    assert not perturb(W, _random(4, 5, seed=1), 0.5).requires_grad
    assert torch.equal(W, before)


def test_direction_is_standard_normal_and_a_function_of_its_seed():
    G = _random(200, 300)
    assert abs(float(G.mean())) < 0.02
    assert float(G.std()) == pytest.approx(1, abs=0.02)
    torch.manual_seed(5)
    assert torch.equal(G, _random(200, 300))
    assert not torch.equal(G, _random(200, 300, seed=1))


@pytest.mark.parametrize("scale", [-0.1, float("nan"), float("inf")])
def test_scale_that_is_no_length_is_refused(scale):
    with pytest.raises(ValueError, match=r"scale is .*; expected a finite number from 0"):
        perturb(torch.ones(2, 2), torch.ones(2, 2), scale)


@pytest.mark.parametrize(
    ("weight", "direction", "message"),
    [
        (torch.ones(2, 3), torch.ones(3, 2), r"shape \(3, 2\); expected \(2, 3\)"),
        (torch.ones(2, 2), torch.zeros(2, 2), "norm 0.0; expected a finite one above 0"),
        (torch.ones(2, 2), torch.full((2, 2), torch.nan), "norm nan"),
        (torch.full((2, 2), torch.inf), torch.ones(2, 2), "the weight is not finite"),
        (torch.ones(2, 2), -torch.ones(2, 2), "leads to zero"),
    ],
)
def test_what_has_no_perturbation_is_refused(weight, direction, message):
    with pytest.raises(ValueError, match=message):
        perturb(weight, direction, 1.0)
