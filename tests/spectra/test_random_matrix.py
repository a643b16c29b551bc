"""The random-matrix baseline against laws that are computed here another way, and on pure noise."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.special import airy

from specflow.spectra import fit_noise, marchenko_pastur_cdf, noise_distance
from specflow.spectra.quantities import QUANTITIES
from specflow.spectra.random_matrix import (
    _DEVIATION,
    LEVEL,
    TRACY_WIDOM,
    _largest_eigenvalue,
)

SHAPE = (48, 96)


def noise(*shape: int, count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, *shape, generator=generator, dtype=torch.float64)


def spectra(matrices: torch.Tensor) -> torch.Tensor:
    return torch.linalg.svdvals(matrices)


def most(share: float, count: int) -> float:
    """Return what a count of events of this probability exceeds once in 700 times."""
    return count * share + 3 * math.sqrt(count * share * (1 - share))


def least(share: float, count: int) -> float:
    """Return what a count stays below as seldom, at least one event."""
    return max(1.0, count * share - 3 * math.sqrt(count * share * (1 - share)))


def planted(*strengths: float, seed: int = 0) -> torch.Tensor:
    """Return the spectrum of noise with directions of these strengths, over the upper edge."""
    rows, columns = SHAPE
    matrix = noise(rows, columns, count=1, seed=seed)[0]
    U, _, Vh = torch.linalg.svd(noise(rows, columns, count=1, seed=seed + 1000)[0])
    edge = math.sqrt(rows) + math.sqrt(columns)
    for place, strength in enumerate(strengths):
        matrix += strength * edge * torch.outer(U[:, place], Vh[place])
    return spectra(matrix)


@pytest.mark.parametrize("ratio", [0.05, 0.5, 0.99, 1.0])
def test_cdf_is_the_integral_of_the_density(ratio):
    low, high = (1 - math.sqrt(ratio)) ** 2, (1 + math.sqrt(ratio)) ** 2

    def density(x):
        return math.sqrt((high - x) * (x - low)) / (2 * math.pi * ratio * x)

    for x in np.linspace(low, high, 7)[1:-1]:
        expected = quad(density, low, x)[0]
        assert float(marchenko_pastur_cdf(np.array(x), ratio)) == pytest.approx(expected, abs=1e-7)
    ends = marchenko_pastur_cdf(np.array([0, low, high, 9.0]), ratio)
    assert ends == pytest.approx([0, 0, 1, 1], abs=1e-12)


def test_quantile_is_that_of_tracy_widom():
    """F_1(s) = det(1 - K), K(x, y) = Ai((x + y) / 2 + s) / 2 on x, y > 0 (Ferrari & Spohn 2005)."""
    nodes, weights = np.polynomial.legendre.leggauss(60)
    x, root = 10 * (nodes + 1), np.sqrt(10 * weights)
    kernel = airy((x[:, None] + x) / 2 + TRACY_WIDOM)[0] / 2
    found = np.linalg.det(np.eye(60) - root[:, None] * kernel * root)
    assert found == pytest.approx(1 - LEVEL, abs=1e-6)


@pytest.mark.parametrize("shape", [(48, 96), (64, 64), (200, 20)])
def test_scale_of_pure_noise_is_right(shape):
    """The best estimate of sigma, of all entries, has a deviation of 1 / sqrt(2 m n); ours has 1.2
    times that, and of a square matrix a bias of 0.25 / m.
    """
    S, (rows, columns) = spectra(3 * noise(*shape, count=60)), shape
    scales = np.array([fit_noise(one, rows, columns).scale for one in S]) / 3
    deviation = 1 / math.sqrt(2 * rows * columns)
    assert abs(scales.mean() - 1) < 0.25 / min(shape) + 4 * deviation / math.sqrt(60)
    assert scales.std() < _DEVIATION * deviation * (1 + 3 / math.sqrt(2 * 60))


@pytest.mark.parametrize(("shape", "count"), [(SHAPE, 1000), ((64, 64), 600), ((20, 20), 1500)])
def test_noise_has_an_outlier_as_often_as_stated(shape, count):
    found = [fit_noise(S, *shape).num_outliers for S in spectra(noise(*shape, count=count))]
    assert least(LEVEL, count) <= np.count_nonzero(found) <= most(LEVEL, count)


def test_largest_value_of_noise_of_known_scale_exceeds_the_threshold_in_a_hundredth():
    count = 1000
    top = spectra(noise(*SHAPE, count=count, seed=1))[:, 0].square().numpy()
    threshold = _largest_eigenvalue(np.array([48.0]), np.array([96.0]), deviation=0)
    assert least(LEVEL, count) <= np.count_nonzero(top > threshold) <= most(LEVEL, count)


@pytest.mark.parametrize("count", [1, 3, 8, 20])
def test_as_many_stand_out_as_were_put_in(count):
    """Far above the transition, at (m n)^(1/4), below which a direction drowns."""
    found = [
        fit_noise(planted(*np.linspace(4, 1.5, count), seed=seed), *SHAPE) for seed in range(40)
    ]
    right = np.count_nonzero([one.num_outliers == count for one in found])
    assert 40 - right <= most(LEVEL, 40)
    assert np.mean([one.scale for one in found]) == pytest.approx(1, abs=0.02)


def test_direction_below_the_transition_does_not_stand_out():
    weak = [fit_noise(planted(0.2, seed=seed), *SHAPE).num_outliers for seed in range(60)]
    assert np.count_nonzero(weak) <= most(LEVEL, 60)


def test_scale_does_not_move_with_how_far_outliers_stand_out():
    S = planted(4, 3, 2)
    far = S.clone()
    far[:3] *= 1000
    assert fit_noise(far, *SHAPE) == pytest.approx(fit_noise(S, *SHAPE), rel=1e-9)


def test_fit_has_the_units_of_the_weights_and_no_side():
    S = planted(2)
    fit, scaled = fit_noise(S, *SHAPE), fit_noise(1e-4 * S, *SHAPE)
    assert scaled == pytest.approx((*(1e-4 * np.array(fit[:3])), fit.num_outliers))
    assert fit_noise(S, *SHAPE[::-1]) == fit
    assert fit.lower < S[-1] < S[1] < fit.upper < S[0]


def test_rows_of_zeros_are_below_noise_and_change_nothing_else():
    matrix = noise(*SHAPE, count=1)[0]
    alive = fit_noise(spectra(matrix[12:]), 36, 96)
    matrix[:12] = 0
    S = spectra(matrix)
    assert fit_noise(S, *SHAPE) == pytest.approx(alive)
    assert float(QUANTITIES["fraction_below_noise"].function(S, *SHAPE)) == 12 / 48


def test_no_bulk_is_an_answer():
    geometric = 0.7 ** torch.arange(48, dtype=torch.float64)
    few = spectra(noise(9, 96, count=1))[0]
    low_rank = torch.cat([few, torch.zeros(39)])
    for S, shape in ((geometric, SHAPE), (few, (9, 96)), (low_rank, SHAPE)):
        assert all(math.isnan(value) for value in fit_noise(S, *shape))
        for name, one in QUANTITIES.items():
            if one.family == "random_matrix":
                assert one.function(S, *shape).isnan(), name


def test_distance_tells_other_spectra_from_noise():
    """Eigenvalues are rigid: noise is within some 4 / R of the law."""
    for shape in ((48, 96), (100, 100)):
        for S in spectra(noise(*shape, count=20)):
            assert noise_distance(S, *shape) < 5 / shape[0]
    flat = torch.linspace(1.0, 1.2, 48).double()
    assert noise_distance(flat, *SHAPE) > 0.1


def test_energy_above_noise_is_that_of_all_above_the_edge():
    """What was put in, and what of noise is a little above the edge."""
    S = planted(5, 4)
    above = S[fit_noise(S, *SHAPE).upper < S]
    assert 2 <= len(above) <= 4
    share = float(QUANTITIES["energy_above_noise"].function(S, *SHAPE))
    assert share == pytest.approx(float(above.square().sum() / S.square().sum()))
