"""Large matrices against the float64 SVD; 257 is the least size that goes this way."""

import threading
import time

import pytest
import torch
from tests.spectra.matrices import assert_identity, close, orthogonal, random

from specflow.interventions import svd_pruning
from specflow.interventions.svd_pruning import SpectrumPruner
from specflow.spectra import decompose, decomposition, large, singular_values
from specflow.threads import one_thread

LEAST = 257


@pytest.fixture(autouse=True)
def single():
    with one_thread():
        yield


@pytest.fixture
def matrix():
    torch.manual_seed(0)
    return torch.randn(300, 400) + torch.randn(300, 5) @ torch.randn(5, 400)


@pytest.fixture
def taken(monkeypatch):
    """How many vectors were asked for each time that a large matrix was decomposed."""
    counts = []
    compute = decomposition.leading_eigenvectors

    def counting(gram, count):
        counts.append(count)
        return compute(gram, count)

    monkeypatch.setattr(decomposition, "leading_eigenvectors", counting)
    return counts


def symmetric(n):
    return random(n, n) + random(n, n).mT


@pytest.mark.parametrize(
    ("n", "count"), [(2, 1), (40, 0), (40, 5), (40, 6), (40, 40), (300, 37), (300, 38), (300, 300)]
)
def test_eigenvalues_and_leading_eigenvectors_are_those_of_the_matrix(n, count):
    """Up to an eighth of the vectors come by MRRR, more by divide and conquer."""
    matrix = symmetric(n)
    values, vectors = large.leading_eigenvectors(matrix.clone(), count)
    tolerance = 1e-12 * n
    close(values, torch.linalg.eigvalsh(matrix), tolerance)
    assert vectors.shape == (n, count)
    assert_identity(vectors.mT @ vectors, tolerance)
    close(matrix @ vectors, vectors * values[n - count :], tolerance)


@pytest.mark.parametrize("kind", [torch.float32, torch.float64], ids=str)
def test_product_is_that_of_any_layout(kind):
    a, b = torch.randn(30, 50).to(kind), torch.randn(60, 50).to(kind).mT[:, ::2]
    torch.testing.assert_close(large.product(a, b), a @ b)
    gram = large.product(a, a.mT)
    torch.testing.assert_close(gram, a @ a.mT)
    assert torch.equal(gram, gram.mT)


@pytest.mark.parametrize("compute", [large.leading_eigenvectors, lambda m, _: large.product(m, m)])
def test_other_threads_go_on_meanwhile(compute):
    thread = threading.Thread(target=compute, args=(symmetric(1500), 1))
    thread.start()
    ticks = 0
    while thread.is_alive():
        time.sleep(0.001)
        ticks += 1
    assert ticks > 5


@pytest.mark.parametrize("tall", [False, True])
@pytest.mark.parametrize("count", [0, 20, 200, 300])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_values_and_leading_vectors_are_those_of_the_svd(matrix, taken, tall, count, dtype):
    weight = (matrix.mT if tall else matrix).to(dtype)
    before = weight.clone()
    U, S, Vh = torch.linalg.svd(weight.double(), full_matrices=False)
    found = decompose(weight, count)
    assert taken == [count]
    assert (found.S - S).abs().max() < 1e-10 * S[0]
    for vectors, expected in ((found.U, U[:, :count]), (found.Vh.mT, Vh[:count].mT)):
        assert_identity(vectors.mT @ vectors, 1e-10)
        assert_identity((vectors.mT @ expected).abs(), 1e-7)
    torch.testing.assert_close(singular_values(weight), S)
    assert torch.equal(weight, before)


@pytest.mark.parametrize("tall", [False, True])
@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9])
def test_pruned_weight_is_that_of_the_svd(matrix, taken, tall, fraction):
    weight = matrix.mT if tall else matrix
    pruner = SpectrumPruner(weight)
    U, S, Vh = torch.linalg.svd(weight.double(), full_matrices=False)
    count = round(300 * fraction)
    for keep, kept in (("top", slice(count)), ("bottom", slice(-count, None))):
        expected = (U[:, kept] * S[kept]) @ Vh[kept]
        assert (pruner.keep(fraction, keep) - expected).norm() < 1e-6 * weight.norm()
    assert taken == [300]


@pytest.mark.parametrize("count", [20, 200])
def test_equal_singular_values_have_orthonormal_vectors(taken, count):
    weight = orthogonal(LEAST, seed=0).float()
    found = decompose(weight, count)
    assert (found.S - 1).abs().max() < 1e-5
    for vectors in (found.U, found.Vh.mT):
        assert_identity(vectors.mT @ vectors, 1e-8)
    assert taken


@pytest.mark.parametrize("count", [20, 200])
def test_low_rank_and_zero_are_guarded_by_the_same_floors(taken, count):
    torch.manual_seed(0)
    low = torch.randn(LEAST, 4) @ torch.randn(4, LEAST)
    for weight in (low, torch.zeros(LEAST, LEAST)):
        found, S = decompose(weight, count), torch.linalg.svdvals(weight.double())
        assert (found.S - S).abs().max() <= 1e-9 * S[0]
        assert_identity(found.U.mT @ found.U, 1e-8)
    assert taken == [count, count]


def test_small_matrices_and_float64_go_the_other_way(matrix, taken, monkeypatch):
    """The bits of a decomposition of at most 256 directions do not depend on this at all."""
    for module in (decomposition, svd_pruning):
        monkeypatch.setattr(module, "product", lambda *_: pytest.fail("as if it were large"))
    decompose(matrix.double(), 0)
    for small in (matrix[:256], matrix[:256].mT):
        decompose(small, 20)
        SpectrumPruner(small).keep(0.5, "top")
    assert taken == []


@pytest.mark.parametrize(
    ("routine", "count"), [("dsytrd", 0), ("dsterf", 20), ("dstemr", 20), ("dstedc", 200)]
)
def test_without_convergence_the_svd_takes_over(matrix, monkeypatch, routine, count):
    U, S, _ = torch.linalg.svd(matrix.double(), full_matrices=False)
    call = large._call

    def fail(name, *arguments):
        if name == routine:
            raise torch.linalg.LinAlgError(f"{name} did not converge")
        call(name, *arguments)

    monkeypatch.setattr(large, "_call", fail)
    found = decompose(matrix, count)
    torch.testing.assert_close(found.S, S)
    torch.testing.assert_close((found.U * U[:, :count]).sum(0).abs(), torch.ones(count).double())


def test_failure_of_lapack_is_an_error():
    with pytest.raises(torch.linalg.LinAlgError, match="dsterf did not converge"):
        large.leading_eigenvectors(torch.full((9, 9), torch.nan).double(), 0)
