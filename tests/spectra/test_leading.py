"""The leading vectors alone, against the float64 SVD; 257 is the least size that goes this way."""

import pytest
import torch

from specflow.spectra import decompose, decomposition, leading

LEAST = 257


@pytest.fixture
def matrix():
    torch.manual_seed(0)
    return torch.randn(300, 400) + torch.randn(300, 5) @ torch.randn(5, 400)


@pytest.fixture
def taken(monkeypatch):
    """How many vectors were asked for each time that leading vectors alone were computed."""
    counts = []
    compute = decomposition.leading_eigenvectors

    def counting(gram, count):
        counts.append(count)
        return compute(gram, count)

    monkeypatch.setattr(decomposition, "leading_eigenvectors", counting)
    return counts


@pytest.mark.parametrize("tall", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_values_and_leading_vectors_are_those_of_the_svd(matrix, taken, tall, dtype):
    weight = (matrix.mT if tall else matrix).to(dtype)
    before = weight.clone()
    U, S, Vh = torch.linalg.svd(weight.double(), full_matrices=False)
    found = decompose(weight, 20)
    assert taken == [20]
    assert (found.S - S).abs().max() < 1e-10 * S[0]
    for vectors, expected in ((found.U, U[:, :20]), (found.Vh.mT, Vh[:20].mT)):
        assert vectors.shape == expected.shape
        assert (vectors.mT @ vectors - torch.eye(20)).abs().max() < 1e-10
        assert ((vectors * expected).sum(0).abs() - 1).abs().max() < 1e-10
    assert torch.equal(weight, before)


def test_all_eigenvalues_and_leading_eigenvectors_of_the_upper_half():
    torch.manual_seed(0)
    gram = torch.randn(40, 40, dtype=torch.float64)
    gram = gram @ gram.mT
    expected, vectors = torch.linalg.eigh(gram)
    found = leading.leading_eigenvectors(gram.triu(), 7)
    assert (found[0] - expected).abs().max() < 1e-12 * expected[-1]
    torch.testing.assert_close((found[1].mT @ vectors[:, -7:]).abs(), torch.eye(7).double())


def test_equal_singular_values_have_orthonormal_vectors(taken):
    weight = torch.linalg.qr(torch.randn(LEAST, LEAST, dtype=torch.float64))[0].float()
    found = decompose(weight, 30)
    assert (found.S - 1).abs().max() < 1e-5
    for vectors in (found.U, found.Vh.mT):
        assert (vectors.mT @ vectors - torch.eye(30)).abs().max() < 1e-8
    assert taken


def test_low_rank_and_zero_are_guarded_by_the_same_floors(taken):
    torch.manual_seed(0)
    low = torch.randn(LEAST, 4) @ torch.randn(4, LEAST)
    for weight in (low, torch.zeros(LEAST, LEAST)):
        found, S = decompose(weight, 20), torch.linalg.svdvals(weight.double())
        assert (found.S - S).abs().max() <= 1e-9 * S[0]
        assert (found.U.mT @ found.U - torch.eye(20)).abs().max() < 1e-8
    assert taken == [20, 20]


def test_small_matrices_many_vectors_and_float64_go_the_old_way(matrix, taken):
    """The bits of a decomposition of at most 256 directions do not depend on this at all."""
    decompose(matrix.double(), 20)
    decompose(matrix, 151)
    decompose(matrix)
    decompose(matrix[:256], 20)
    assert taken == []
    decompose(matrix, 150)
    decompose(matrix[:LEAST], 20)
    assert taken == [150, 20]


@pytest.mark.parametrize("routine", ["tridiagonal_form", "eigenvalues", "leading_vectors"])
def test_without_convergence_all_vectors_are_computed(matrix, monkeypatch, routine):
    expected = decompose(matrix, 20)

    def fail(*arguments):
        return None

    monkeypatch.setattr(leading.lapack, routine, fail)
    found = decompose(matrix, 20)
    torch.testing.assert_close(found.S, expected.S)
    torch.testing.assert_close((found.U * expected.U).sum(0).abs(), torch.ones(20).double())
