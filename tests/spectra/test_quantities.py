import math
from typing import get_args

import pytest
import torch
from tests.quantities import ALWAYS, ON_DEMAND

from specflow.measure.settings import Family
from specflow.spectra import (
    QUANTITIES,
    effective_rank,
    gini,
    is_defined,
    is_direction,
    mass_rank,
    quantities,
    quantity,
    stable_rank,
)

RANKS = ["effective_rank", "normalized_effective_rank", "mass_rank", "stable_rank", "gini"]
NORMS = ["frobenius_norm", "spectral_norm"]
LOGS = ["log_norm", "log_spectral_norm"]


def _spectrum(R: int = 30) -> torch.Tensor:
    generator = torch.Generator().manual_seed(R)
    values = torch.rand(R, generator=generator, dtype=torch.float64)
    return values.sort(descending=True).values


def _of(name: str, S: torch.Tensor) -> torch.Tensor:
    """Return a quantity of a matrix that is 30 x 60 if S has 30 values."""
    one, R = QUANTITIES[name], S.shape[-1] if S.ndim else 0
    return one.function(S, **({"rows": R, "columns": 2 * R} if one.takes_shape else {}))


def test_every_quantity_says_what_it_is():
    assert list(ALWAYS) == [*RANKS, *NORMS, *LOGS]
    assert list(QUANTITIES)[: len(ALWAYS)] == list(ALWAYS)
    assert {QUANTITIES[name].family for name in ON_DEMAND} == {*get_args(Family)} - {"heads"}
    for name, one in QUANTITIES.items():
        assert (one.name, one.function.__name__) == (name, name)
        assert one.label
        assert one.cite[-4:].isdigit() or one.cite.startswith(("Yunis", "Golub"))
        assert one.url.startswith("https://")
        assert len(one.range) == 2
    assert QUANTITIES["stable_rank"].formula == "sum s_i^2 / s_1^2 = ||W||_F^2 / ||W||_2^2"
    assert [name for name, one in QUANTITIES.items() if one.settings] == ["mass_rank"]
    assert QUANTITIES["mass_rank"].settings == ("mass",)


def test_function_is_entered_and_left_as_it_is(monkeypatch):
    monkeypatch.setattr(quantities, "QUANTITIES", known := {})

    def smallest(S):
        """Return s_R.

        Not more.
        """

    enter = quantity(label="smallest", range=(0, math.inf), cite="none", url="https://a")
    assert enter(smallest) is smallest
    assert known["smallest"].formula == "s_R"


@pytest.mark.parametrize("name", QUANTITIES)
def test_values_lie_in_the_stated_range(name):
    known = {"R": 30.0, "1 - 1/R": 1 - 1 / 30}
    low, high = (known.get(bound, bound) for bound in QUANTITIES[name].range)
    one = torch.zeros(30, dtype=torch.float64)
    one[3] = 2.0
    for S in (_spectrum(), _spectrum() ** 9, torch.ones(30).double(), one):
        value = float(_of(name, S))
        assert low - 1e-12 <= value <= high + 1e-12 or (math.isnan(value) and name in ON_DEMAND)


def assert_ranks(S: torch.Tensor, *expected: float) -> None:
    """Check them in the order of `RANKS`."""
    for name, value in zip(RANKS, expected, strict=True):
        assert float(_of(name, S)) == pytest.approx(value, rel=1e-9, abs=1e-12), name


@pytest.mark.parametrize("n", [1, 2, 10, 20, 113])
def test_identity_has_full_rank(n):
    assert_ranks(torch.ones(n), n, 1, (math.floor(0.9 * n + 1e-9) + 1) / n, n, 0)


@pytest.mark.parametrize("n", [1, 2, 10, 113])
def test_single_direction_has_rank_one(n):
    S = torch.zeros(n)
    S[0] = 3.0
    assert_ranks(S, 1, 1 / n, 1 / n, 1, 1 - 1 / n)


def test_geometric_spectrum_has_the_closed_forms():
    """S = 2^-i, i from 0: in the limit, entropy 2 log 2, ||S||^2 = 4/3, Gini (R - 3) / R.

    1/2 + 1/4 + 1/8 = 0.875 of the mass, and one more makes 0.9375.
    """
    R = 60
    S = 0.5 ** torch.arange(R, dtype=torch.float64)
    assert_ranks(S, 4, 4 / R, 4 / R, 4 / 3, (R - 3) / R)


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


def test_norms_are_those_of_a_matrix_with_logs_of_eigenvalues():
    """weightwatcher 0.7.7, apply_norm_metrics: everything is of eigenvalues of W^T W."""
    torch.manual_seed(0)
    W = torch.randn(6, 9, dtype=torch.float64)
    S, evals = torch.linalg.svdvals(W), torch.linalg.eigvalsh(W @ W.T)
    expected = {
        "frobenius_norm": W.norm(),
        "spectral_norm": torch.linalg.matrix_norm(W, 2),
        "log_norm": evals.sum().log10(),
        "log_spectral_norm": evals.max().log10(),
    }
    for name, value in expected.items():
        torch.testing.assert_close(_of(name, S), value)


@pytest.mark.parametrize("name", RANKS)
@pytest.mark.parametrize("scale", [1e-300, 1e-20, 7.0, 1e300])
def test_scale_does_not_matter_to_ranks(name, scale):
    assert float(_of(name, _spectrum() * scale)) == pytest.approx(float(_of(name, _spectrum())))


@pytest.mark.parametrize("name", QUANTITIES)
def test_order_does_not_matter_and_input_is_not_changed(name):
    S = _spectrum().flip(0)
    before = S.clone()
    expected = float(_of(name, _spectrum()))
    assert float(_of(name, S)) == pytest.approx(expected, rel=1e-12, nan_ok=True)
    assert torch.equal(S, before)


@pytest.mark.parametrize("name", QUANTITIES)
def test_leading_dimensions_are_kept(name):
    S = torch.stack([_spectrum(), _spectrum().square(), torch.ones(30).double()]).reshape(3, 1, 30)
    batch = _of(name, S)
    assert batch.shape == (3, 1)
    assert batch.dtype == torch.float64
    for row, expected in zip(S[:, 0], batch[:, 0], strict=True):
        torch.testing.assert_close(_of(name, row), expected, equal_nan=True)


@pytest.mark.parametrize("measure", [effective_rank, stable_rank, mass_rank])
def test_steeper_spectrum_has_lower_rank(measure):
    assert measure(_spectrum().square()) < measure(_spectrum())
    assert gini(_spectrum().square()) > gini(_spectrum())


@pytest.mark.parametrize("name", QUANTITIES)
@pytest.mark.parametrize(
    ("S", "message"),
    [
        (torch.tensor([1.0, -0.5]), "-0.5; expected no negative"),
        (torch.tensor([1.0, float("nan")]), "NaN or infinity"),
        (torch.tensor([float("inf"), 1.0]), "NaN or infinity"),
        (torch.ones(0), "is empty"),
        (torch.tensor(1.0), "is empty"),
    ],
)
def test_what_is_no_spectrum_is_refused(name, S, message):
    with pytest.raises(ValueError, match=message):
        _of(name, S)


@pytest.mark.parametrize("S", [torch.zeros(4), torch.tensor([[1.0, 0.5], [0.0, 0.0]])])
def test_zero_has_norm_zero_and_neither_rank_nor_logarithm(S):
    for name in NORMS:
        assert float(_of(name, S).flatten()[-1]) == 0
    for name in (*RANKS, *LOGS):
        with pytest.raises(ValueError, match="all zero"):
            _of(name, S)


@pytest.mark.parametrize("mass", [0.0, 1.0, -1.0, 90.0, float("nan")])
def test_mass_outside_zero_to_one_is_refused(mass):
    with pytest.raises(ValueError, match="mass is"):
        mass_rank(torch.ones(3), mass)


def test_directions_are_more_than_rounding():
    S = torch.tensor([4.0, 5e-9, 3e-9, 0.0])
    assert is_direction(S).tolist() == [True, True, False, False]
    for undefined in (torch.zeros(4), torch.full((4,), torch.nan), torch.tensor([torch.inf, 1.0])):
        assert not is_defined(undefined)
        assert not is_direction(undefined).any()
    assert is_defined(torch.stack([S, 0 * S])).tolist() == [True, False]
