import pytest
import torch

from specflow.spectra import decompose
from specflow.suites import leading
from specflow.suites.leading import leading_side


@pytest.fixture
def matrix():
    torch.manual_seed(0)
    return torch.randn(300, 400) + torch.randn(300, 5) @ torch.randn(5, 400)


@pytest.mark.parametrize("tall", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_values_and_leading_vectors_are_those_of_the_svd(matrix, tall, dtype):
    weight = (matrix.mT if tall else matrix).to(dtype)
    U, S, Vh = torch.linalg.svd(weight.double(), full_matrices=False)
    side = leading_side(weight, 20)
    assert side.vectors.shape == (300, 20)
    assert (side.S - S).abs().max() < 1e-10 * S[0]
    found = decompose(weight, 20, side)
    for vectors, expected in ((found.U, U[:, :20]), (found.Vh.mT, Vh[:20].mT)):
        assert (vectors.mT @ vectors - torch.eye(20)).abs().max() < 1e-10
        assert ((vectors * expected).sum(0).abs() - 1).abs().max() < 1e-10


def test_equal_singular_values_have_orthonormal_vectors():
    weight = torch.linalg.qr(torch.randn(300, 300, dtype=torch.float64))[0].float()
    found = decompose(weight, 30, leading_side(weight, 30))
    assert (found.S - 1).abs().max() < 1e-5
    for vectors in (found.U, found.Vh.mT):
        assert (vectors.mT @ vectors - torch.eye(30)).abs().max() < 1e-8


def test_low_rank_and_zero_are_as_without_it():
    torch.manual_seed(0)
    low = torch.randn(300, 4) @ torch.randn(4, 300)
    for weight in (low, torch.zeros(300, 300)):
        found, expected = decompose(weight, 20, leading_side(weight, 20)), decompose(weight, 20)
        assert (found.S - expected.S).abs().max() <= 1e-6 * expected.S[0]
        assert (found.U.mT @ found.U - torch.eye(20)).abs().max() < 1e-8


def test_where_it_is_no_faster_or_less_accurate_there_is_none(matrix):
    assert leading_side(matrix.double(), 20) is None
    assert leading_side(matrix, 151) is None
    assert leading_side(matrix[:200], 20) is None


def test_weight_is_not_changed(matrix):
    before = matrix.clone()
    leading_side(matrix, 20)
    assert torch.equal(matrix, before)


def test_without_convergence_there_is_none(matrix, monkeypatch):
    def fail(*arguments, **options):
        raise leading.LinAlgError

    monkeypatch.setattr(leading, "eigh_tridiagonal", fail)
    assert leading_side(matrix, 20) is None
