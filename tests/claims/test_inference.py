"""Intervals, tests and runs needed, against definitions and by simulation."""

from itertools import combinations, product

import numpy as np
import pytest
from scipy import stats

from specflow.claims.inference import holm, interval_of_mean, p_value, runs_needed
from specflow.claims.measured import CHANGE, FITTED_CHANGE, SHARE, UNBOUNDED, pseudo_values

NUM_TRIALS = 2000  # a share of 0.95 is then known to 0.01, two standard errors


def test_interval_of_a_mean_is_students():
    values = [1.0, 2.0, 4.0]
    half = 4.302653 * np.std(values, ddof=1) / np.sqrt(3)  # t of 2 degrees of freedom, 0.975
    expected = (np.mean(values) - half, np.mean(values) + half)
    assert interval_of_mean(values, 0.95) == pytest.approx(expected)


def test_interval_stays_in_the_bounds_of_the_quantity():
    values = [0.7, 0.9, 0.99]
    low, high = interval_of_mean(values, 0.95)
    assert high > 1
    assert interval_of_mean(values, 0.95, SHARE) == (low, 1)
    assert interval_of_mean([-0.99, -0.6], 0.95, CHANGE) == (-1, 1)


def test_no_line_through_shares_changes_by_more_than_its_bound():
    """The change is linear in the shares, so that the most is at corners of the cube."""
    for count in range(3, 9):
        places = np.linspace(0, 1, count)
        corners = np.array(list(product([0.0, 1.0], repeat=count))).T
        changes = np.polyfit(places, corners, 1)[0]
        assert changes.max() + 1e-9 >= 1
        assert changes.max() < FITTED_CHANGE[1]
        assert changes.min() > FITTED_CHANGE[0]
    steps = np.repeat([0.0, 1.0], 5000)
    assert np.polyfit(np.linspace(0, 1, 10_000), steps, 1)[0] == pytest.approx(1.5, abs=1e-3)


@pytest.mark.parametrize("values", [[], [0.3], [0.3, 0.3, 0.3]])
def test_no_variation_is_no_certainty(values):
    assert interval_of_mean(values, 0.95) is None


def test_p_value_of_the_end_of_an_interval_is_its_level():
    values = [0.2, 0.5, 0.1, 0.7]
    for confidence in (0.5, 0.95, 0.999):
        for end in interval_of_mean(values, confidence):
            assert p_value(values, end) == pytest.approx(1 - confidence)


# Of a number of runs, with their true mean, and how often intervals of 95% may hold it: what is
# skewed near a bound they cover a little less often than what is normal.
DRAWS = {
    "normal": (lambda rng, n: rng.normal(2.0, 1.0, n), 2.0, (0.94, 0.96)),
    "uniform share": (lambda rng, n: rng.uniform(0, 1, n), 0.5, (0.90, 0.97)),
    "share near 1": (lambda rng, n: rng.beta(18, 2, n), 0.9, (0.89, 0.97)),
    "distance": (lambda rng, n: abs(rng.normal(size=n)), (2 / np.pi) ** 0.5, (0.90, 0.95)),
    "correlation near -1": (lambda rng, n: 2 * rng.beta(2, 18, n) - 1, -0.8, (0.89, 0.97)),
}


@pytest.mark.parametrize("num_runs", [3, 5, 10])
@pytest.mark.parametrize("draws", DRAWS)
def test_intervals_cover_the_true_mean_at_their_rate(draws, num_runs):
    draw, true, (least, most) = DRAWS[draws]
    bounds = (-1, 1) if "correlation" in draws else (0, 1) if "share" in draws else (-9, 9)
    rng = np.random.default_rng(num_runs)
    samples = [draw(rng, num_runs) for _ in range(NUM_TRIALS)]
    assert least <= coverage(samples, true, bounds) <= most


def coverage(samples, true, bounds=UNBOUNDED):
    """The share of samples whose intervals of 95% hold a mean.

    Of all at once by the definition, which the intervals of the first hundred meet.
    """
    samples = np.array(samples)
    num_runs = samples.shape[1]
    half = stats.t.isf(0.025, num_runs - 1) * samples.std(axis=1, ddof=1) / np.sqrt(num_runs)
    means = samples.mean(axis=1)
    ends = np.clip([means - half, means + half], *bounds)
    for values, expected in zip(samples[:100], ends.T[:100], strict=True):
        assert interval_of_mean(values, 0.95, bounds) == pytest.approx(expected)
    return np.mean((ends[0] <= true) & (true <= ends[1]))


@pytest.mark.parametrize("num_runs", [3, 5, 10])
@pytest.mark.parametrize(("draws", "most"), [("normal", 0.035), ("distance", 0.08)])
def test_means_are_seldom_called_less_than_what_they_are(draws, most, num_runs):
    """One half of the level, or a little more than all of it where long tails are seldom seen."""
    draw, true, _ = DRAWS[draws]
    rng = np.random.default_rng(num_runs)
    runs = [draw(rng, num_runs) for _ in range(NUM_TRIALS)]
    wrong = [np.mean(values) < true and p_value(values, true) < 0.05 for values in runs]
    assert np.mean(wrong) <= most


@pytest.mark.parametrize("num_runs", [3, 5, 10])
@pytest.mark.parametrize("own", [0.0, 1.0], ids=["pairs alone vary", "runs vary too"])
@pytest.mark.parametrize("effect", [0.0, 5.0])
def test_intervals_of_pairs_cover_the_true_mean_though_pairs_share_runs(num_runs, own, effect):
    rng = np.random.default_rng(num_runs)
    samples = []
    for _ in range(NUM_TRIALS // 2):  # 0.93 is then three standard errors below 0.95
        of_run = own * rng.normal(size=num_runs)
        pairs = {
            (str(i), str(j)): effect + of_run[i] + of_run[j] + rng.normal()
            for i, j in combinations(range(num_runs), 2)
        }
        samples.append(list(pseudo_values(pairs).values()))
    assert coverage(samples, effect) >= 0.93


def test_pseudo_values_have_the_mean_of_the_pairs_and_their_jackknife_error():
    rng = np.random.default_rng(0)
    names = "abcde"
    pairs = {pair: rng.normal() for pair in combinations(names, 2)}
    found = pseudo_values(pairs)
    assert list(found) == list(names)
    assert np.mean(list(found.values())) == pytest.approx(np.mean(list(pairs.values())))
    without = [np.mean([v for pair, v in pairs.items() if name not in pair]) for name in names]
    error = np.sqrt(4 / 5 * np.square(np.array(without) - np.mean(without)).sum())
    assert stats.sem(list(found.values())) == pytest.approx(error)


def test_holm_is_the_closure_of_bonferroni():
    rng = np.random.default_rng(0)
    for count in (1, 2, 3, 6):
        for _ in range(20):
            p = rng.uniform(size=count) ** 3
            for one, adjusted in enumerate(holm(p.tolist())):
                holding = (
                    chosen
                    for size in range(1, count + 1)
                    for chosen in combinations(range(count), size)
                    if one in chosen
                )
                worst = max(min(1, len(chosen) * p[list(chosen)].min()) for chosen in holding)
                assert adjusted == pytest.approx(worst)
    assert holm([]) == []


def test_runs_needed_are_the_first_that_decide():
    rng = np.random.default_rng(0)
    for scale in (0.3, 1.0, 3.0):
        values = rng.normal(1.0, scale, 4)
        number = runs_needed(values, 0.0, 0.05)
        assert p_value(alike(values, number), 0.0) < 0.05
        assert number == 2 or p_value(alike(values, number - 1), 0.0) >= 0.05
    assert runs_needed([-1.0, 1.0], 0.0, 0.05) is None


def alike(values, number):
    """As many values with the same mean and deviation."""
    other = np.arange(number, dtype=float)
    return np.mean(values) + (other - other.mean()) / other.std(ddof=1) * np.std(values, ddof=1)
