"""Power laws: parity with the package, a naive twin, and what is said of what is none."""

import math

import numpy as np
import pytest
import torch

from specflow.spectra import fit_power_law, power_law_of
from specflow.spectra.power_law import CONFIDENCE, LEVEL


def fit_of(eigenvalues: np.ndarray):
    return fit_power_law(torch.from_numpy(np.sqrt(eigenvalues)))


def pareto(rng: np.random.Generator, count: int, alpha: float = 2.5) -> np.ndarray:
    return rng.pareto(alpha - 1, count) + 1


def within(share: float, count: int) -> float:
    """Return three deviations of a share of so many."""
    return 3 * math.sqrt(share * (1 - share) / count)


def test_alpha_and_xmin_are_those_of_the_package():
    """powerlaw 1.5: `fit = powerlaw.Fit(x); fit.alpha, fit.xmin, fit.D` of these samples, in this
    order; and 2.0 with parameter_ranges={"alpha": [1, None]} (by default it looks up to 3 only).
    """
    rng = np.random.default_rng(0)
    samples = [
        rng.pareto(1.5, 200) + 1,
        np.where(rng.random(400) < 0.4, rng.pareto(2, 400) + 1, rng.random(400)),
        np.linalg.svd(rng.standard_normal((100, 150)), compute_uv=False) ** 2,
        rng.lognormal(0, 1, 300),
    ]
    expected = [
        (2.407804927840701, 1.2002116513972756, 0.03335318976520993, 166),
        (3.1298063533485343, 1.046307178882989, 0.0363510698110924, 138),
        (8.591428460362799, 344.5904104949236, 0.1486150933739246, 11),
        (3.522525678201681, 3.621711103820391, 0.07963235293694004, 40),
    ]
    for sample, values in zip(samples, expected, strict=True):
        fit = fit_of(sample)
        found = (fit.alpha, fit.xmin, fit.distance, fit.num_tail)
        assert found == pytest.approx(values, rel=1e-9)


def naive(eigenvalues: np.ndarray) -> tuple[float, float, float]:
    """Clauset et al. 2009, equations 3.1 and 3.9, for every value but the largest as xmin."""
    best = (math.inf, math.nan, math.nan)
    for xmin in sorted(eigenvalues)[:-1]:
        tail = sorted(x for x in eigenvalues if x >= xmin)
        alpha = 1 + len(tail) / sum(math.log(x / xmin) for x in tail)
        law = [1 - (x / xmin) ** (1 - alpha) for x in tail]
        distance = max(abs(share - place / len(tail)) for place, share in enumerate(law))
        best = min(best, (distance, alpha, xmin))
    return best


@pytest.mark.parametrize("seed", range(6))
def test_fit_matches_naive(seed):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(3, 40))
    sample = [pareto(rng, count), rng.lognormal(0, 2, count), 1e-9 * rng.random(count)][seed % 3]
    fit = fit_of(sample)
    assert (fit.distance, fit.alpha, fit.xmin) == pytest.approx(naive(sample), rel=1e-9)


def test_interval_covers_and_the_test_refuses_pareto_samples_as_seldom_as_stated():
    rng, count, alpha = np.random.default_rng(0), 150, 2.5
    fits = [fit_of(pareto(rng, 120, alpha)) for _ in range(count)]
    covered = np.mean([fit.low <= alpha <= fit.high for fit in fits])
    refused = np.mean([fit.p_value < LEVEL for fit in fits])
    assert covered >= CONFIDENCE - within(CONFIDENCE, count)
    assert refused <= LEVEL + within(LEVEL, count)
    assert np.mean([fit.is_plausible for fit in fits]) > 0.6  # else the tail found is short
    assert np.mean([fit.alpha for fit in fits]) == pytest.approx(alpha, abs=0.1)


@pytest.mark.parametrize("shape", [(64, 96), (128, 128)])
def test_noise_is_called_a_power_law_no_more_often_than_stated(shape):
    """In at most 1%, since it must have an outlier."""
    generator, count = torch.Generator().manual_seed(0), 100
    noise = torch.randn(count, *shape, generator=generator, dtype=torch.float64)
    found = [power_law_of(S, *shape).alpha for S in torch.linalg.svdvals(noise)]
    assert np.isfinite(found).mean() <= 0.01 + within(0.01, count)


def test_noise_with_spikes_is_no_power_law():
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        S = torch.linalg.svdvals(torch.randn(100, 150, generator=generator, dtype=torch.float64))
        S[:5] = torch.tensor([60, 50, 45, 40, 35])
        assert math.isnan(power_law_of(S, 100, 150).alpha)


def test_heavy_tailed_spectrum_is_a_power_law_with_an_interval():
    rng = np.random.default_rng(0)
    for _ in range(10):
        S = torch.from_numpy(np.sort(np.sqrt(pareto(rng, 200)))[::-1].copy())
        law, fit = power_law_of(S, 200, 300), fit_power_law(S)
        if fit.is_plausible:
            assert law == fit
            assert 1 < law.low < law.alpha < law.high
        else:
            assert all(map(math.isnan, law[:3]))
            assert law[3:] == fit[3:]


def test_uniform_values_are_no_power_law():
    rng = np.random.default_rng(0)
    assert not any(fit_of(rng.random(300)).is_plausible for _ in range(20))


def test_units_do_not_matter_and_the_same_spectrum_has_the_same_answer():
    sample = pareto(np.random.default_rng(0), 100)
    fit = fit_of(sample)
    assert fit_of(sample[::-1].copy()) == fit
    scaled = fit_of(1e-6 * sample)
    assert scaled._replace(xmin=1e6 * scaled.xmin) == pytest.approx(fit)


@pytest.mark.parametrize("values", [[3.0], [2.0, 2.0, 2.0], [1.0, 0.0, 0.0]])
def test_without_two_values_to_fit_nothing_is_said(values):
    fit = fit_power_law(torch.tensor(values))
    assert all(map(math.isnan, fit))
    assert not fit.is_plausible


def test_zeros_are_left_out():
    sample = np.sqrt(pareto(np.random.default_rng(0), 80))
    with_zeros = torch.from_numpy(np.concatenate([sample, np.zeros(20)]))
    assert fit_power_law(with_zeros) == fit_power_law(torch.from_numpy(sample))
