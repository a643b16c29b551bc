import pytest
import torch

from specflow.matrices import from_matrix
from specflow.spectra import as_matrix


def test_matrix_stays_as_it_is():
    weight = torch.arange(6.0).reshape(2, 3)
    assert torch.equal(as_matrix(weight), weight)


def test_kernel_rows_are_flattened_filters():
    weight = torch.randn(4, 3, 5, 2)
    matrix = as_matrix(weight)
    assert matrix.shape == (4, 30)
    assert torch.equal(matrix[2], weight[2].reshape(-1))


def test_transposed_kernel_rows_are_outputs():
    weight = torch.randn(3, 4, 5, 2)
    matrix = as_matrix(weight, transposed=True)
    assert matrix.shape == (4, 30)
    assert torch.equal(matrix[2], weight[:, 2].reshape(-1))
    assert torch.equal(as_matrix(weight[:, :, 0, 0], transposed=True), weight[:, :, 0, 0].T)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 5), (3, 4, 5, 2)])
def test_from_matrix_is_the_inverse(shape, transposed):
    weight = torch.randn(shape)
    restored = from_matrix(as_matrix(weight, transposed), weight.shape, transposed)
    assert torch.equal(restored, weight)
    assert restored.is_contiguous()


def test_vector_is_refused():
    with pytest.raises(ValueError, match=r"shape \(5,\).*two or more dimensions"):
        as_matrix(torch.ones(5))
