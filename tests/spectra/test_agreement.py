from itertools import product

import pytest
import torch
from tests.spectra.matrices import assert_identity, orthogonal, random

from specflow.spectra import (
    agreement_null_level,
    decompose,
    diagonal_score,
    singular_vector_agreement,
)


def test_matrix_agrees_with_itself_and_with_its_multiples():
    W = random(20, 30)
    assert_identity(singular_vector_agreement(W, W))
    assert_identity(singular_vector_agreement(W, -3 * W))


def test_other_singular_values_on_the_same_vectors_agree():
    U, S, Vh = decompose(random(20, 30))
    assert_identity(singular_vector_agreement((U * S) @ Vh, (U * S.square()) @ Vh))


def test_swapped_directions_are_found_off_the_diagonal():
    U, V = orthogonal(6, 1), orthogonal(6, 2)
    S = torch.arange(6, 0, -1).double()
    agreement = singular_vector_agreement((U * S) @ V.T, (U * S.flip(0)) @ V.T)
    assert_identity(agreement.flip(0))


def test_both_sides_must_agree():
    """Negative control: the left vectors are the same, only the right ones differ."""
    U, S, Vh = decompose(random(50, 60))
    turned = (U * S) @ Vh @ orthogonal(60, 3)
    assert singular_vector_agreement((U * S) @ Vh, turned).diagonal().mean() < 0.3


def test_matches_naive():
    a, b = random(8, 5, seed=1), random(8, 5, seed=2)
    Ua, _, Vha = torch.linalg.svd(a, full_matrices=False)
    Ub, _, Vhb = torch.linalg.svd(b, full_matrices=False)
    agreement = singular_vector_agreement(a, b)
    for i, j in product(range(5), range(5)):
        naive = abs(float(Ua[:, i] @ Ub[:, j]) * float(Vha[i] @ Vhb[j]))
        assert float(agreement[i, j]) == pytest.approx(naive, abs=1e-9)


def test_decompositions_serve_as_well_as_weights():
    a, b = random(8, 3, 3, 3, seed=1).float(), random(8, 3, 3, 3, seed=2).float()
    expected = singular_vector_agreement(a, b)
    torch.testing.assert_close(singular_vector_agreement(decompose(a), b), expected)
    leading = singular_vector_agreement(decompose(a, 4), decompose(b, 4))
    torch.testing.assert_close(leading, expected[:4, :4])


def test_rows_and_columns_hold_at_most_unit_mass():
    agreement = singular_vector_agreement(random(20, 30, seed=1), random(20, 30, seed=2))
    assert agreement.sum(0).max() <= 1 + 1e-12
    assert agreement.sum(1).max() <= 1 + 1e-12


@pytest.mark.parametrize(("rows", "columns"), [(20, 30), (40, 10), (1, 25)])
def test_null_level_is_the_mean_of_unrelated_matrices(rows, columns):
    means = [
        singular_vector_agreement(
            random(rows, columns, seed=2 * trial), random(rows, columns, seed=2 * trial + 1)
        ).mean()
        for trial in range(100)
    ]
    assert float(torch.stack(means).mean()) == pytest.approx(
        agreement_null_level(rows, columns), rel=0.1
    )


def test_null_level_is_symmetric_and_about_two_over_pi_d():
    assert agreement_null_level(20, 30) == agreement_null_level(30, 20)
    assert agreement_null_level(1000, 1000) == pytest.approx(2 / (torch.pi * 1000), rel=1e-2)
    assert agreement_null_level(1, 1) == pytest.approx(1)


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\(4, 5\) and \(5, 4\)"):
        singular_vector_agreement(random(4, 5), random(5, 4))


def test_diagonal_score_is_the_mean_of_the_first_entries():
    matrix = torch.diag(torch.arange(20.0)) + torch.triu(torch.full((20, 20), 100.0), 1)
    assert float(diagonal_score(matrix)) == 4.5
    assert float(diagonal_score(matrix, 3)) == 1
    assert float(diagonal_score(matrix[:2])) == 0.5
    assert torch.equal(
        diagonal_score(matrix.expand(3, 2, 20, 20)), torch.full((3, 2), 4.5).double()
    )


@pytest.mark.parametrize("shape", [(3,), (0, 3), (3, 0)])
def test_score_without_diagonal_is_refused(shape):
    with pytest.raises(ValueError, match="has no diagonal"):
        diagonal_score(torch.ones(shape))


def test_score_of_nothing_is_refused():
    with pytest.raises(ValueError, match="count is 0"):
        diagonal_score(torch.eye(3), 0)
