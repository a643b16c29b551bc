"""What sets two matrices apart: norms, directions, and the rank that rounding does not explain."""

import math

import numpy as np
import pytest
import torch
from tests.spectra.matrices import orthogonal, random

from specflow.spectra import difference, numerical_rank, rounding_level, subspace_overlap
from specflow.spectra.agreement import diagonal_score, singular_vector_agreement

DTYPES = (torch.bfloat16, torch.float16, torch.float32)


def naive_rank(a, b) -> int:
    """The rank of the difference with all errors of half a unit in the last place, entry by entry.

    Bandeira & van Handel 2016, from numpy's spacing of float32 scaled to the dtype.
    """
    errors = []
    for weight in (a, b):
        coarser = torch.finfo(weight.dtype).eps / np.finfo(np.float32).eps
        errors.append(np.spacing(np.abs(weight.float().numpy())).astype(np.float64) * coarser / 2)
    squares = errors[0] ** 2 + errors[1] ** 2
    level = math.sqrt(squares.sum(0).max()) + math.sqrt(squares.sum(1).max())
    exact = b.double().numpy() - a.double().numpy()
    return int((np.linalg.svd(exact, compute_uv=False) > level).sum())


def low_rank(shape, rank: int, seed: int) -> torch.Tensor:
    """A matrix of a rank whose entries have mean square 1."""
    found = random(shape[0], rank, seed=seed) @ random(rank, shape[1], seed=seed + 1)
    return found / math.sqrt(rank)


def test_numbers_are_those_of_float64():
    a, b = random(30, 20, seed=0), random(30, 20, seed=1)
    found = difference(a, b, count=5)
    x, y = a.numpy(), b.numpy()
    assert found.relative_change == pytest.approx(np.linalg.norm(y - x) / np.linalg.norm(x))
    expected = (x * y).sum() / np.linalg.norm(x) / np.linalg.norm(y)
    assert found.cosine == pytest.approx(expected, abs=1e-12)
    assert found.agreement_score == pytest.approx(
        diagonal_score(singular_vector_agreement(a, b), 5)
    )
    np.testing.assert_allclose(found.S, np.linalg.svd(y - x, compute_uv=False))
    np.testing.assert_allclose(found.S_a, np.linalg.svd(x, compute_uv=False))
    np.testing.assert_allclose(found.S_b, np.linalg.svd(y, compute_uv=False))


@pytest.mark.parametrize("ratio", [1e-30, 1e-4, 1.0, 1e6, 1e30])
def test_cosine_does_not_depend_on_scales(ratio):
    a, b = random(30, 20, seed=0).float(), random(30, 20, seed=1).float()
    expected = (a.double() * b).sum() / a.double().norm() / b.double().norm()
    assert difference(a, ratio * b).cosine == pytest.approx(float(expected), abs=1e-6)
    assert -1 <= difference(a, -ratio * a).cosine <= -1 + 1e-6


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(5))
def test_merged_low_rank_change_has_its_rank_in_every_dtype(dtype, seed):
    shape = [(64, 64), (48, 160), (200, 32), (96, 97), (128, 128)][seed]
    rank = 1 + seed
    base = (0.02 * random(*shape, seed=seed)).to(dtype)
    for share in (0.03, 0.3, 3.0):
        change = 0.02 * share * low_rank(shape, rank, seed=10 * seed + 7)
        tuned = (base.double() + change).to(dtype)
        found = difference(base, tuned)
        assert found.rank == rank == naive_rank(base, tuned)


@pytest.mark.parametrize("seed", range(4))
def test_rank_is_that_of_the_coarser_dtype_that_weights_were_rounded_to(seed):
    base = (0.02 * random(80, 60, seed=seed)).bfloat16()
    tuned = (base.double() + 0.001 * low_rank((80, 60), 3, seed)).bfloat16()
    in_bfloat16 = difference(base, tuned)
    upcast = difference(base.float(), tuned.double())
    assert in_bfloat16.rank == upcast.rank == 3
    assert upcast.rounding == in_bfloat16.rounding


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(32, 32), (20, 300), (256, 256)])
def test_rounding_alone_has_rank_0(dtype, shape):
    for seed in range(4):
        rows = torch.exp(2 * random(shape[0], 1, seed=seed + 50))  # rows of very unequal norms
        exact = rows * random(*shape, seed=seed)
        rounded = exact.to(dtype)
        found = difference(rounded, exact)
        assert found.rank == 0
        assert found.S[0] > 0.1 * found.rounding  # and the bound is no loose one


def test_full_change_has_full_rank():
    assert difference(random(40, 30, seed=0).float(), random(40, 30, seed=1).float()).rank == 30


def test_matrix_and_itself_do_not_differ():
    weight = random(12, 9).float()
    found = difference(weight, weight.clone())
    assert (found.relative_change, found.rank, found.S.max()) == (0, 0, 0)
    assert found.cosine == pytest.approx(1)
    assert found.agreement_score == pytest.approx(1)
    assert found.left_overlap == pytest.approx(1)
    assert found.right_overlap == pytest.approx(1)


def test_zero_matrices_have_changes_and_no_directions():
    weight, zero = random(6, 5).float(), torch.zeros(6, 5)
    grown, gone, none = difference(zero, weight), difference(weight, zero), difference(zero, zero)
    assert (grown.relative_change, gone.relative_change, none.relative_change) == (math.inf, 1, 0)
    assert (grown.rank, gone.rank, none.rank) == (5, 5, 0)
    for found in (grown, gone, none):
        assert math.isnan(found.cosine)
        assert math.isnan(found.agreement_score)
        assert math.isnan(found.left_overlap)


def test_overlap_is_that_of_the_projectors():
    a, b = orthogonal(12, seed=0)[:, :4], orthogonal(12, seed=1)[:, :4]
    assert subspace_overlap(a, b) == pytest.approx(float(torch.trace(a @ a.T @ b @ b.T)) / 4)
    mixed = a @ orthogonal(4, seed=2)  # another basis of the same subspace
    assert subspace_overlap(a, mixed) == pytest.approx(1)


def test_rounding_of_an_exact_decomposition_is_no_rank():
    S = torch.tensor([1.0, 1e-10, 1e-17], dtype=torch.float64)
    assert numerical_rank(S, (3, 100), rounding=0.0) == 2


def test_rounding_level_grows_by_the_units_of_the_dtype():
    weight = random(50, 40).bfloat16()
    doubled = rounding_level(2 * weight)
    assert doubled == 2 * rounding_level(weight)
    assert rounding_level(weight, weight) == pytest.approx(math.sqrt(2) * rounding_level(weight))
    assert rounding_level(random(50, 40)) < 1e-12


@pytest.mark.parametrize("shape", [(4, 3, 5), (6, 1, 9), (3, 4, 2)])
def test_blocks_differ_as_the_block_diagonal_matrix_does(shape):
    a, change = random(*shape, seed=0), torch.zeros(shape).double()
    change[0, 0, 0] = 1
    a, b = a.float(), a.float() + change.float()
    stacked = difference(a.flatten(0, 1), b.flatten(0, 1), groups=shape[0])
    whole = difference(torch.block_diag(*a), torch.block_diag(*b))
    assert stacked.rank == whole.rank == 1
    for name in ("S_a", "S_b", "S"):
        found, expected = getattr(stacked, name), getattr(whole, name)
        torch.testing.assert_close(found, expected[: len(found)], atol=1e-7, rtol=0)
    scalars = ("relative_change", "cosine", "left_overlap", "right_overlap", "agreement_score")
    for name in scalars:
        assert getattr(stacked, name) == pytest.approx(getattr(whole, name), abs=1e-5), name


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (torch.ones(2, 3), torch.ones(3, 2), r"shape \(2, 3\) and \(3, 2\) have no difference"),
        (torch.ones(2, 3), torch.full((2, 3), math.nan), "entries are not finite"),
        (torch.ones(0, 3), torch.ones(0, 3), "is empty"),
    ],
)
def test_what_has_no_difference_is_refused(a, b, message):
    with pytest.raises(ValueError, match=message):
        difference(a, b)
