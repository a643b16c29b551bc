import threading
import time

import numpy as np
import pytest

from specflow.spectra import lapack


def symmetric(n):
    matrix = np.random.default_rng(0).normal(size=(n, n))
    return np.asfortranarray(matrix + matrix.T)


@pytest.mark.parametrize(("n", "count"), [(2, 1), (40, 40), (70, 9)])
def test_tridiagonal_form_has_the_eigenvalues_and_vectors_of_the_matrix(n, count):
    matrix = symmetric(n)
    expected = np.linalg.eigvalsh(matrix)
    diagonal, beside, scales = lapack.tridiagonal_form(matrix.copy(order="F"))
    assert scales.shape == (n - 1,)
    T = np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)
    assert lapack.eigenvalues(diagonal, beside) == pytest.approx(expected, abs=1e-12 * n)
    vectors = lapack.leading_vectors(diagonal, beside, count)
    assert vectors.T @ vectors == pytest.approx(np.eye(count), abs=1e-12 * n)
    assert T @ vectors == pytest.approx(vectors * expected[-count:], abs=1e-12 * n)


def test_arguments_are_not_changed():
    diagonal, beside = np.arange(5.0), np.ones(4)
    lapack.eigenvalues(diagonal, beside)
    lapack.leading_vectors(diagonal, beside, 2)
    assert (diagonal.tolist(), beside.tolist()) == ([0, 1, 2, 3, 4], [1, 1, 1, 1])


def test_failure_of_lapack_is_none():
    assert lapack.eigenvalues(np.full(3, np.nan), np.ones(2)) is None


def test_other_threads_go_on_meanwhile():
    matrix = symmetric(1500)
    thread = threading.Thread(target=lapack.tridiagonal_form, args=(matrix,))
    thread.start()
    ticks = 0
    while thread.is_alive():
        time.sleep(0.001)
        ticks += 1
    assert ticks > 10
