import math

import pytest
import torch

from specflow.spectra import (
    effective_rank,
    gini,
    mass_rank,
    normalized_effective_rank,
    stable_rank,
)

MEASURES = [effective_rank, normalized_effective_rank, stable_rank, mass_rank, gini]


def _spectrum(R: int = 30) -> torch.Tensor:
    generator = torch.Generator().manual_seed(R)
    values = torch.rand(R, generator=generator, dtype=torch.float64)
    return values.sort(descending=True).values


@pytest.mark.parametrize("n", [1, 2, 10, 20, 113])
def test_identity_has_full_rank(n):
    S = torch.ones(n)
    assert float(effective_rank(S)) == pytest.approx(n, rel=1e-12)
    assert float(normalized_effective_rank(S)) == pytest.approx(1, rel=1e-12)
    assert float(stable_rank(S)) == n
    assert float(gini(S)) == pytest.approx(0, abs=1e-12)
    assert float(mass_rank(S)) == (math.floor(0.9 * n + 1e-9) + 1) / n


@pytest.mark.parametrize("n", [1, 2, 10, 113])
def test_single_direction_has_rank_one(n):
    S = torch.zeros(n)
    S[0] = 3.0
    assert float(effective_rank(S)) == 1
    assert float(normalized_effective_rank(S)) == 1 / n
    assert float(stable_rank(S)) == 1
    assert float(mass_rank(S)) == 1 / n
    assert float(gini(S)) == pytest.approx(1 - 1 / n)


def test_geometric_spectrum_has_the_closed_forms():
    """S = 2^-i, i from 0: in the limit, entropy 2 log 2, ||S||^2 = 4/3, Gini (R - 3) / R."""
    R = 60
    S = 0.5 ** torch.arange(R, dtype=torch.float64)
    assert float(effective_rank(S)) == pytest.approx(4, rel=1e-9)
    assert float(stable_rank(S)) == pytest.approx(4 / 3, rel=1e-9)
    assert float(mass_rank(S)) == 4 / R  # 1/2 + 1/4 + 1/8 = 0.875, one more makes 0.9375
    assert float(gini(S)) == pytest.approx((R - 3) / R, rel=1e-9)


def test_effective_rank_matches_naive():
    p = [float(s / _spectrum().sum()) for s in _spectrum()]
    naive = math.exp(-sum(x * math.log(x) for x in p))
    assert float(effective_rank(_spectrum())) == pytest.approx(naive, rel=1e-12)


def test_gini_is_half_the_relative_mean_difference():
    S = _spectrum()
    naive = (S[:, None] - S[None, :]).abs().mean() / (2 * S.mean())
    assert float(gini(S)) == pytest.approx(float(naive), rel=1e-12)


@pytest.mark.parametrize("mass", [0.1, 0.5, 0.9, 0.999])
def test_mass_rank_matches_naive(mass):
    S = _spectrum()
    naive = next(k for k in range(1, 31) if S[:k].sum() / S.sum() > mass)
    assert float(mass_rank(S, mass)) == naive / 30


def test_mass_must_be_exceeded_not_reached():
    assert float(mass_rank(torch.ones(20), 0.9)) == 19 / 20
    assert float(mass_rank(torch.ones(10), 0.9)) == 1


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("scale", [1e-300, 1e-20, 7.0, 1e300])
def test_scale_does_not_matter(measure, scale):
    assert float(measure(_spectrum() * scale)) == pytest.approx(float(measure(_spectrum())))


@pytest.mark.parametrize("measure", MEASURES)
def test_order_does_not_matter_and_input_is_not_changed(measure):
    S = _spectrum().flip(0)
    before = S.clone()
    assert float(measure(S)) == pytest.approx(float(measure(_spectrum())), rel=1e-12)
    assert torch.equal(S, before)


@pytest.mark.parametrize("measure", MEASURES)
def test_leading_dimensions_are_kept(measure):
    S = torch.stack([_spectrum(), _spectrum().square(), torch.ones(30).double()]).reshape(3, 1, 30)
    batch = measure(S)
    assert batch.shape == (3, 1)
    assert batch.dtype == torch.float64
    for row, expected in zip(S[:, 0], batch[:, 0], strict=True):
        torch.testing.assert_close(measure(row), expected)


@pytest.mark.parametrize("measure", [effective_rank, stable_rank, mass_rank])
def test_steeper_spectrum_has_lower_rank(measure):
    assert measure(_spectrum().square()) < measure(_spectrum())
    assert gini(_spectrum().square()) > gini(_spectrum())


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(
    ("S", "message"),
    [
        (torch.zeros(4), "all zero"),
        (torch.tensor([[1.0, 0.5], [0.0, 0.0]]), "all zero"),
        (torch.tensor([1.0, -0.5]), "-0.5; expected no negative"),
        (torch.tensor([1.0, float("nan")]), "NaN or infinity"),
        (torch.tensor([float("inf"), 1.0]), "NaN or infinity"),
        (torch.ones(0), "is empty"),
        (torch.tensor(1.0), "is empty"),
    ],
)
def test_what_is_no_spectrum_is_refused(measure, S, message):
    with pytest.raises(ValueError, match=message):
        measure(S)


@pytest.mark.parametrize("mass", [0.0, 1.0, -1.0, 90.0, float("nan")])
def test_mass_outside_zero_to_one_is_refused(mass):
    with pytest.raises(ValueError, match="mass is"):
        mass_rank(torch.ones(3), mass)
