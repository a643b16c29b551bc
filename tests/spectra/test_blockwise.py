"""Changes, permuted entries and products of heads against matrices that are formed as a whole."""

import numpy as np
import pytest
import torch
from tests.spectra.matrices import close, random

from specflow.spectra import (
    blockwise,
    change_singular_values,
    effective_rank,
    permuted_singular_values,
    product_singular_values,
)

SHAPES = [(1, 1), (1, 7), (30, 12), (12, 30), (65, 64), (300, 40)]


@pytest.fixture(params=[1, 100, 2**22])
def blocks(request, monkeypatch):
    """Blocks of few rows, and one of all."""
    monkeypatch.setattr(blockwise, "_LEAST", request.param)


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("shape", SHAPES)
def test_change_has_the_singular_values_of_the_difference(shape):
    now, then = random(*shape, seed=1), random(*shape, seed=2)
    expected = torch.linalg.svdvals(now - then)
    close(change_singular_values(now, then), expected, 1e-12 * float(expected[0]))


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("shape", [(60, 40), (40, 60)])
def test_change_of_low_rank_has_zeros_to_rounding(shape):
    then = random(*shape, seed=1)
    now = then + random(shape[0], 3, seed=2) @ random(3, shape[1], seed=3)
    S = change_singular_values(now, then)
    assert S[2] > 1
    assert S[3:].max() < 1e-13 * S[0]


@pytest.mark.usefixtures("blocks")
def test_graded_values_keep_their_digits():
    expected = 10.0 ** -torch.arange(12, dtype=torch.float64)
    U, V = (torch.linalg.qr(random(rows, 12)).Q for rows in (50, 12))
    then = torch.zeros(50, 12, dtype=torch.float64)
    torch.testing.assert_close(
        change_singular_values((U * expected) @ V.mT, then), expected, rtol=1e-4, atol=0
    )


@pytest.mark.parametrize("kind", ["float32", "float16", "bfloat16"])
def test_change_is_taken_in_float64(kind):
    now, then = (random(20, 15, seed=seed).to(getattr(torch, kind)) for seed in (1, 2))
    expected = torch.linalg.svdvals(now.double() - then.double())
    close(change_singular_values(now, then), expected, 1e-12)
    assert not change_singular_values(now, now).any()


def test_matrices_of_two_shapes_and_entries_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match=r"\(3, 4\) and \(4, 3\); expected two matrices of one"):
        change_singular_values(torch.ones(3, 4), torch.ones(4, 3))
    with pytest.raises(ValueError, match="NaN or infinity"):
        change_singular_values(torch.full((3, 4), torch.nan), torch.ones(3, 4))


@pytest.mark.parametrize("kind", ["float64", "float32", "bfloat16"])
def test_permuted_entries_are_the_same_ones_elsewhere(kind):
    weight = random(30, 20).to(getattr(torch, kind))
    before = weight.clone()
    S = permuted_singular_values(weight, seed=0)
    assert torch.equal(weight, before)
    norm = float(weight.double().norm())
    assert float(S.norm()) == pytest.approx(norm)
    assert torch.equal(S, permuted_singular_values(weight, seed=0))
    assert not torch.allclose(S, permuted_singular_values(weight, seed=1))
    order = np.random.default_rng(0).permutation(600)
    naive = torch.linalg.svdvals(weight.double().flatten()[order].view(30, 20))
    close(S, naive, 1e-12 * norm)


def test_permuted_matrix_of_rank_one_is_noise_of_the_same_entries():
    weight = torch.outer(random(60, seed=1), random(60, seed=2))
    drawn = weight.flatten()[torch.from_numpy(np.random.default_rng(5).permutation(3600))]
    noise = effective_rank(torch.linalg.svdvals(drawn.view(60, 60)))
    found = effective_rank(permuted_singular_values(weight, seed=0))
    assert effective_rank(torch.linalg.svdvals(weight)) < 1.001
    assert float(found) == pytest.approx(float(noise), rel=0.05)


@pytest.mark.parametrize(("head", "width", "other"), [(4, 30, 30), (8, 20, 35), (9, 5, 7)])
def test_product_of_a_head_has_the_singular_values_of_the_whole(head, width, other):
    a, b = random(head, width, seed=1), random(head, other, seed=2)
    rank = min(head, width, other)
    found, whole = product_singular_values(a, b), torch.linalg.svdvals(a.mT @ b)
    assert found[:rank].shape == (rank,)
    close(found[:rank], whole[:rank], 1e-12 * float(whole[0]))


def test_product_of_orthogonal_factors_is_zero_though_neither_is():
    a, b = torch.zeros(2, 4), torch.zeros(2, 4)
    a[0, 0] = b[1, 1] = 1.0
    assert not product_singular_values(a, b).any()


def test_factors_that_do_not_meet_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 3\) and \(3, 2\); expected two matrices with as"):
        product_singular_values(torch.ones(2, 3), torch.ones(3, 2))
    with pytest.raises(ValueError, match="NaN or infinity"):
        product_singular_values(torch.full((2, 3), torch.nan), torch.ones(2, 2))
