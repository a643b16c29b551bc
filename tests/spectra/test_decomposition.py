import pytest
import torch
from tests.spectra.matrices import random

from specflow.spectra import Decomposition, as_matrix, decompose, singular_values
from specflow.spectra.decomposition import SmallerSide, smaller_side

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
SHAPES = [(40, 90), (90, 40), (50, 50), (1, 30), (30, 1), (1, 1)]


def _with_spectrum(rows: int, columns: int, spectrum: torch.Tensor) -> torch.Tensor:
    R = min(rows, columns)
    return (torch.linalg.qr(random(rows, R)).Q * spectrum) @ torch.linalg.qr(random(columns, R)).Q.T


def _graded(decades: int, rows: int, columns: int) -> torch.Tensor:
    spectrum = torch.logspace(0, -decades, min(rows, columns), dtype=torch.float64)
    return _with_spectrum(rows, columns, spectrum)


def _half_dead(rows: int, columns: int) -> torch.Tensor:
    weight = random(rows, columns)
    weight[: rows // 2] = 0
    return weight


def _two_clusters(rows: int, columns: int) -> torch.Tensor:
    R = min(rows, columns)
    return _with_spectrum(rows, columns, 1e-3 + (torch.arange(R) < R // 2).double())


def _low_rank(rows: int, columns: int) -> torch.Tensor:
    rank = max(1, min(rows, columns) // 3)
    return random(rows, rank) @ random(rank, columns)


KINDS = {
    "random": random,
    "zero": torch.zeros,
    "ones": torch.ones,
    "graded over 5 decades": lambda m, n: _graded(5, m, n),
    "graded over 9 decades": lambda m, n: _graded(9, m, n),
    "graded over 40 decades": lambda m, n: _graded(40, m, n),
    "one cluster": lambda m, n: _with_spectrum(m, n, torch.ones(min(m, n), dtype=torch.float64)),
    "two clusters": _two_clusters,
    "low rank": _low_rank,
    "half of the rows dead": _half_dead,
}


def assert_is_decomposition(weight: torch.Tensor, found: Decomposition) -> None:
    """Check the contract: order, orthonormality, reproduction, values of the float64 SVD."""
    W = as_matrix(weight).double()
    U, S, Vh = found
    scale = float(W.abs().max()) or 1.0  # norms of 1e-200 underflow
    reference = torch.linalg.svdvals(W)
    eye = torch.eye(len(S), dtype=torch.float64)
    assert (S.diff() <= 0).all()
    assert (S >= 0).all()
    assert (S - reference).abs().max() <= 1e-8 * reference[0]
    assert (U.T @ U - eye).abs().max() < 1e-7
    assert (Vh @ Vh.T - eye).abs().max() < 1e-7
    assert ((U * (S / scale)) @ Vh - W / scale).norm() <= 1e-12 * (W / scale).norm()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_decompose_is_a_decomposition(kind, dtype):
    for shape in SHAPES:
        weight = KINDS[kind](*shape).to(dtype)
        assert_is_decomposition(weight, decompose(weight))


@pytest.mark.parametrize(
    ("dtype", "scale"),
    [
        *(
            (dtype, s)
            for dtype in (torch.float32, torch.float64)
            for s in (1e-30, 1e-20, 1e20, 1e30)
        ),
        *((torch.float64, s) for s in (1e-300, 1e300)),  # their squares leave float64
    ],
    ids=str,
)
def test_scale_does_not_matter(dtype, scale):
    for weight in (_graded(3, 30, 50), random(20, 30), random(30, 20)):
        scaled = (weight * scale).to(dtype)
        assert_is_decomposition(scaled, decompose(scaled))


@pytest.mark.parametrize("kind", KINDS)
def test_singular_values_match_float64_svd(kind):
    for shape in SHAPES:
        weight = KINDS[kind](*shape).float()
        reference = torch.linalg.svdvals(weight.double())
        assert (singular_values(weight) - reference).abs().max() <= 1e-9 * reference[0]


def test_small_singular_values_are_right_relative_to_themselves():
    """Negative control: a float32 Gram matrix misses the whole lower half of this spectrum."""
    weight = _graded(6, 60, 80).float()
    reference = torch.linalg.svdvals(weight.double())
    relative = (singular_values(weight) / reference - 1).abs()
    naive = torch.linalg.eigvalsh(weight @ weight.T).clamp(min=0).sqrt().flip(0)
    assert relative.max() < 1e-3
    assert (naive / reference - 1).abs()[30:].max() > 0.5


def test_more_accurate_than_a_float32_svd_where_vectors_come_from_the_gram_matrix():
    weight = _graded(3, 60, 80).float()
    reference = torch.linalg.svd(weight.double(), full_matrices=False)
    ours, theirs = decompose(weight), torch.linalg.svd(weight, full_matrices=False)
    error = 1 - ((ours.U * reference.U).sum(0) * (ours.Vh * reference.Vh).sum(1)).abs()
    float32_error = 1 - ((theirs.U * reference.U).sum(0) * (theirs.Vh * reference.Vh).sum(1)).abs()
    assert error.max() < 1e-9 < float32_error.max()


@pytest.mark.parametrize("shape", [(40, 90), (90, 40)])
@pytest.mark.parametrize("kind", ["random", "graded over 9 decades", "low rank", "zero"])
def test_count_gives_the_first_vectors_and_all_values(kind, shape):
    weight = KINDS[kind](*shape).float()
    U, S, Vh = decompose(weight, count=7)
    reference = decompose(weight.double())
    assert (U.shape, S.shape, Vh.shape) == ((shape[0], 7), (40,), (7, shape[1]))
    assert (S - reference.S).abs().max() <= 1e-9 * reference.S[0]
    assert (U.T @ weight.double() - S[:7, None] * Vh).abs().max() <= 1e-9 * reference.S[0]


def test_count_beyond_the_rank_means_all():
    weight = random(4, 9)
    assert decompose(weight, count=100).U.shape == (4, 4)
    assert decompose(weight, count=0).Vh.shape == (0, 9)


def test_kernel_is_flattened():
    kernel = random(4, 3, 3, 3).float()
    assert_is_decomposition(kernel, decompose(kernel))
    assert torch.equal(singular_values(kernel), singular_values(kernel.flatten(1)))


@pytest.mark.parametrize("measure", [decompose, singular_values, smaller_side])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_input_is_not_changed_and_may_be_a_view_with_gradient(measure, dtype):
    whole = random(30, 40).to(dtype)
    before = whole.clone()
    view = whole.requires_grad_()[::2, 5:].T
    result = measure(view)
    expected = measure(view.detach().clone(memory_format=torch.contiguous_format))
    assert torch.equal(whole, before)
    for found, wanted in zip(_tensors(result), _tensors(expected), strict=True):
        assert not found.requires_grad
        torch.testing.assert_close(found.abs(), wanted.abs())


def _tensors(result: torch.Tensor | Decomposition | SmallerSide) -> list[torch.Tensor]:
    return [result] if isinstance(result, torch.Tensor) else list(result)


@pytest.mark.parametrize("shape", [(20, 50), (50, 20)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_smaller_side_spans_the_leading_directions(shape, dtype):
    weight = random(*shape).to(dtype)
    vectors = smaller_side(weight).vectors
    U, _, Vh = torch.linalg.svd(weight.double(), full_matrices=False)
    reference = U if shape[0] < shape[1] else Vh.T
    torch.testing.assert_close((vectors.T @ reference).abs(), torch.eye(20, dtype=torch.float64))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_side_at_hand_gives_the_same_decomposition_and_values(kind, shape):
    weight = KINDS[kind](*shape).float()
    side = smaller_side(weight)
    assert_is_decomposition(weight, decompose(weight, side=side))
    torch.testing.assert_close(decompose(weight, 3, side), decompose(weight, 3))
    torch.testing.assert_close(singular_values(weight, side), singular_values(weight))


def test_side_at_hand_saves_the_decomposition(monkeypatch):
    weight = random(20, 30).float()
    side = smaller_side(weight)
    for solver in ("eigh", "eigvalsh", "svd", "svdvals"):
        monkeypatch.setattr(torch.linalg, solver, lambda *_, **__: pytest.fail("decomposed again"))
    decompose(weight, 10, side)
    singular_values(weight, side)


def test_side_of_another_shape_or_too_short_is_refused():
    weight = random(4, 6)
    with pytest.raises(ValueError, match=r"has 3 values .* shape \(3, 3\); expected 4 values"):
        singular_values(weight, smaller_side(random(3, 6)))
    S, vectors = smaller_side(weight)
    with pytest.raises(ValueError, match=r"shape \(4, 2\); expected .* 3 or more vectors"):
        decompose(weight, 3, SmallerSide(S, vectors[:, :2]))


def test_eigensolver_that_gives_up_is_replaced_by_the_svd(monkeypatch):
    def give_up(*_, **__):
        raise torch.linalg.LinAlgError("did not converge")

    weight = random(20, 30).float()
    monkeypatch.setattr(torch.linalg, "eigh", give_up)
    monkeypatch.setattr(torch.linalg, "eigvalsh", give_up)
    assert_is_decomposition(weight, decompose(weight))
    torch.testing.assert_close(singular_values(weight), torch.linalg.svdvals(weight.double()))
    assert smaller_side(weight).vectors.shape == (20, 20)


@pytest.mark.parametrize("measure", [decompose, singular_values, smaller_side])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_not_finite_is_refused(measure, dtype, bad):
    weight = torch.ones(3, 4, dtype=dtype)
    weight[1, 2] = bad
    with pytest.raises(ValueError, match="1 of 12 entries are not finite"):
        measure(weight)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (torch.ones(5), "not a matrix"),
        (torch.tensor(1.0), "not a matrix"),
        (torch.ones(0, 5), "is empty"),
        (torch.ones(2, 2, dtype=torch.complex64), "is complex"),
    ],
)
def test_what_is_no_real_matrix_is_refused(weight, message):
    with pytest.raises(ValueError, match=message):
        decompose(weight)


def test_negative_count_is_refused():
    with pytest.raises(ValueError, match="count is -1"):
        decompose(torch.ones(2, 2), count=-1)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("kind", KINDS)
def test_cuda_tensors_stay_on_the_device(kind):
    for shape in SHAPES:
        weight = KINDS[kind](*shape).float().cuda()
        found = decompose(weight)
        assert found.S.is_cuda
        assert_is_decomposition(weight.cpu(), Decomposition(*(part.cpu() for part in found)))
