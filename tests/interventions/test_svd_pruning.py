import pytest
import torch
from tests.spectra.matrices import random

from specflow.interventions.svd_pruning import SpectrumPruner
from specflow.spectra import as_matrix, singular_values


def _naive(weight: torch.Tensor, kept: slice) -> torch.Tensor:
    U, S, Vh = torch.linalg.svd(as_matrix(weight).double(), full_matrices=False)
    return ((U[:, kept] * S[kept]) @ Vh[kept]).reshape(weight.shape)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("shape", [(20, 33), (33, 20), (15, 15), (8, 3, 3, 3), (1, 6)])
@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5, 0.9])
def test_matches_naive(shape, fraction, dtype):
    weight = random(*shape).to(dtype)
    R = min(as_matrix(weight).shape)
    top, bottom = -int(-R * fraction // 1), int(R * fraction // 1)
    pruner = SpectrumPruner(weight)
    tolerance = 1e-5 if dtype == torch.float32 else 1e-11
    for keep, kept in (("top", slice(top)), ("bottom", slice(R - bottom, None))):
        pruned = pruner.keep(fraction, keep)
        assert (pruned.dtype, pruned.shape) == (dtype, weight.shape)
        torch.testing.assert_close(
            pruned.double(), _naive(weight, kept), atol=tolerance, rtol=tolerance
        )


@pytest.mark.parametrize("shape", [(20, 33), (33, 21), (8, 3, 3, 3)])
def test_halves_add_up_to_the_weight_and_are_orthogonal(shape):
    weight = random(*shape)
    pruner = SpectrumPruner(weight)
    top, bottom = pruner.keep(0.5, "top"), pruner.keep(0.5, "bottom")
    torch.testing.assert_close(top + bottom, weight)
    assert abs(float((top * bottom).sum())) < 1e-10
    assert top.norm() > bottom.norm()


def test_keep_top_is_the_best_approximation_of_its_rank():
    """Eckart & Young 1936; negative control: the bottom of the same rank is not."""
    weight = random(20, 30)
    pruner = SpectrumPruner(weight)
    S = singular_values(weight)
    error = (weight - pruner.keep(0.3, "top")).norm()
    assert float(error) == pytest.approx(float(S[6:].norm()), rel=1e-10)
    assert (weight - pruner.keep(0.3, "bottom")).norm() > 1.5 * error


def test_projection_is_idempotent():
    top = SpectrumPruner(random(20, 30)).keep(0.5, "top")
    torch.testing.assert_close(SpectrumPruner(top).keep(0.5, "top"), top)
    torch.testing.assert_close(SpectrumPruner(top).keep(0.5, "bottom"), torch.zeros_like(top))


def test_spectrum_is_cut_and_otherwise_unchanged():
    weight = random(16, 40)
    S = singular_values(weight)
    kept = singular_values(SpectrumPruner(weight).keep(0.25, "top"))
    torch.testing.assert_close(kept[:4], S[:4])
    assert kept[4:].max() < 1e-12 * S[0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_everything_and_nothing_are_exact(dtype):
    weight = random(12, 18).to(dtype)
    pruner = SpectrumPruner(weight)
    for keep in ("top", "bottom"):
        assert torch.equal(pruner.keep(1.0, keep), weight)
        assert torch.equal(pruner.keep(0.0, keep), torch.zeros_like(weight))


def test_rounding_of_fractions_does_not_add_a_direction():
    """0.55 * 100 is 55.00000000000001 and 0.29 * 100 is 28.999999999999996."""
    pruner = SpectrumPruner(random(100, 100))
    assert torch.linalg.matrix_rank(pruner.keep(0.55, "top")) == 55
    assert torch.linalg.matrix_rank(pruner.keep(0.29, "bottom")) == 29


def test_transposed_kernel_is_pruned_as_outputs_by_inputs():
    weight = random(6, 4, 3, 3)
    pruned = SpectrumPruner(weight, transposed=True).keep(0.5, "top")
    swapped = SpectrumPruner(weight.transpose(0, 1)).keep(0.5, "top").transpose(0, 1)
    torch.testing.assert_close(pruned, swapped)
    assert not torch.allclose(pruned, SpectrumPruner(weight).keep(0.5, "top"))


def test_order_of_calls_does_not_matter():
    weight = random(20, 30).float()
    pruner = SpectrumPruner(weight)
    first = pruner.keep(0.5, "bottom")
    pruner.keep(0.2, "top")
    assert torch.equal(pruner.keep(0.5, "bottom"), first)


def test_its_decomposition_serves_for_the_spectrum_too():
    weight = random(6, 4, 3, 3).float()
    side = SpectrumPruner(weight, transposed=True).side
    matrix = as_matrix(weight, transposed=True)
    torch.testing.assert_close(singular_values(matrix, side), singular_values(matrix))


def test_weight_is_neither_changed_nor_followed():
    weight = random(20, 30).requires_grad_()
    before = weight.detach().clone()
    pruner = SpectrumPruner(weight)
    top = pruner.keep(0.5, "top")
    assert torch.equal(weight, before)
    assert not top.requires_grad
    expected = top.clone()
    for returned in (top, pruner.keep(1.0, "top"), weight.detach()):
        returned.zero_()
    assert torch.equal(pruner.keep(0.5, "top"), expected)
    assert torch.equal(pruner.keep(1.0, "top"), before)


def test_zero_weight_stays_zero():
    pruner = SpectrumPruner(torch.zeros(4, 6))
    assert torch.equal(pruner.keep(0.5, "top"), torch.zeros(4, 6))


@pytest.mark.parametrize("fraction", [-0.1, 1.1, 50, float("nan")])
def test_fraction_outside_zero_to_one_is_refused(fraction):
    with pytest.raises(ValueError, match="keep_fraction is"):
        SpectrumPruner(torch.eye(3)).keep(fraction, "top")


def test_unknown_part_is_refused():
    with pytest.raises(ValueError, match="keep is 'middle'"):
        SpectrumPruner(torch.eye(3)).keep(0.5, "middle")


def test_not_finite_weight_is_refused():
    with pytest.raises(ValueError, match="not finite"):
        SpectrumPruner(torch.full((2, 2), torch.nan))
