import numpy as np
import pytest
import torch

from specflow.audit import scan
from specflow.audit.scan import scan_matrix


@pytest.fixture
def matrices():
    torch.manual_seed(0)
    first = torch.randn(60, 50)
    return first, first + 0.3 * torch.randn(60, 50)


def test_sums_are_those_of_float64(matrices):
    now, before = matrices
    found = scan_matrix("a", now, before, 64)
    now, before = now.double(), before.double()
    assert found.finite
    assert found.square == pytest.approx(float((now**2).sum()))
    assert found.change == pytest.approx(float(((now - before) ** 2).sum()))
    assert found.product == pytest.approx(float((now * before).sum()))


def test_distance_of_sketches_is_that_of_matrices_on_average(matrices):
    first, second = matrices
    true = float((first - second).double().square().sum())
    ratios = []
    for name in map(str, range(200)):
        one, other = (scan_matrix(name, m, None, 64).sketch for m in (first, second))
        ratios.append(np.square(one - other).sum() / true)
    assert np.mean(ratios) == pytest.approx(1, abs=4 * np.sqrt(2 / 64 / 200))
    assert np.std(ratios) == pytest.approx(np.sqrt(2 / 64), rel=0.3)


def test_sketch_longer_than_the_matrix_is_exact(matrices):
    first, second = (matrix[:5, :5] for matrix in matrices)
    one, other = (scan_matrix("a", m, None, 64).sketch for m in (first, second))
    assert np.square(one - other).sum() == pytest.approx(float((first - second).square().sum()))


def test_sketch_does_not_depend_on_the_size_of_chunks_and_is_linear(matrices, monkeypatch):
    first, second = matrices
    whole = scan_matrix("a", first, None, 64).sketch
    both = scan_matrix("a", first + 2 * second, None, 64).sketch
    assert both == pytest.approx(whole + 2 * scan_matrix("a", second, None, 64).sketch, abs=1e-4)
    monkeypatch.setattr(scan, "_CHUNK", 128)
    assert scan_matrix("a", first, None, 64).sketch == pytest.approx(whole)


def test_other_names_have_other_signs(matrices):
    one, other = (scan_matrix(name, matrices[0], None, 64).sketch for name in "ab")
    assert not np.allclose(one, other)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_matrix_that_is_not_finite_has_no_sums(matrices, value):
    matrix = matrices[0].clone()
    matrix[3, 3] = value
    found = scan_matrix("a", matrix, matrices[1], 8)
    assert not found.finite
    assert np.isnan([found.square, found.change, found.product, *found.sketch]).all()
