"""Large matrices on the CPU: products and eigenvectors by the BLAS and LAPACK of numpy and scipy.

Those of torch (MKL) leave half the width of an AMD processor unused, and compute all eigenvectors
or none. scipy's own wrappers keep the interpreter's lock while LAPACK computes, so that a pool of
threads would work one by one; here the same routines are called by their addresses, as Cython
would, without the lock. The last bits depend on the number of BLAS threads: call with one.
"""

import ctypes
from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Doubles = NDArray[np.float64]

_SMALL = 256  # up to this size torch takes no longer
_FEW = 8  # divide and conquer takes no longer than MRRR for more than 1/8 of all eigenvectors
_BLOCK = 64  # columns that LAPACK takes together, at most


def is_large(matrix: Tensor) -> bool:
    """Return whether a matrix is one for this file."""
    return min(matrix.shape) > _SMALL and matrix.device.type == "cpu"


def product(a: Tensor, b: Tensor) -> Tensor:
    """Return a @ b of matrices on the CPU; half the work where b is a transposed."""
    return torch.from_numpy(a.numpy() @ b.numpy())


def leading_eigenvectors(matrix: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return all eigenvalues of a symmetric matrix, ascending, and the leading eigenvectors.

    The matrix is brought to tridiagonal form once (Golub & Van Loan 2013, 8.3). Eigenvectors of
    that are computed by MRRR (Dhillon & Parlett 2004) where few are wanted, else by divide and
    conquer (Gu & Eisenstat 1995), and those that are wanted brought back.

    Args:
        matrix: Shape (n, n), float64 on the CPU, contiguous; overwritten.
        count: How many eigenvectors, those of the largest eigenvalues, from 0.

    Returns:
        Eigenvalues of shape (n,) and vectors of shape (n, count), in their order.

    Raises:
        torch.linalg.LinAlgError: If LAPACK does not converge.
    """
    householder, n = matrix.numpy(), len(matrix)
    diagonal, beside, scales = np.empty(n), np.empty(n - 1), np.empty(n - 1)
    work = np.empty(_BLOCK * (n + _BLOCK + 1))
    _call("dsytrd", b"L", n, householder, n, diagonal, beside, scales, work, len(work))
    solve = _by_divide_and_conquer if _FEW * count > n else _by_mrrr
    values, vectors = solve(diagonal, beside, count)
    place = (b"L", b"L", b"N", n, count)
    _call("dormtr", *place, householder, n, scales, vectors, n, work, len(work))
    return torch.from_numpy(values), torch.from_numpy(vectors)


def _by_mrrr(diagonal: Doubles, beside: Doubles, count: int) -> tuple[Doubles, Doubles]:
    # All eigenvalues and the leading eigenvectors of a tridiagonal matrix.
    n = len(diagonal)
    values, vectors = diagonal.copy(), np.empty((n, count), order="F")
    _call("dsterf", n, values, beside.copy())
    if count == 0:
        return values, vectors
    matrix = (n, diagonal, np.append(beside, 0.0))
    chosen = (np.zeros(1), np.zeros(1), n - count + 1, n)
    num_found, support = np.zeros(1, np.intc), np.empty(2 * count, np.intc)
    found = (num_found, np.empty(n), vectors, n, count, support)
    work, integers = np.empty(18 * n), np.empty(10 * n, np.intc)
    space = (1, work, len(work), integers, len(integers))
    _call("dstemr", b"V", b"I", *matrix, *chosen, *found, *space)
    if num_found[0] != count:
        raise torch.linalg.LinAlgError(f"dstemr found {num_found[0]} of {count} eigenvectors")
    return values, vectors


def _by_divide_and_conquer(
    diagonal: Doubles, beside: Doubles, count: int
) -> tuple[Doubles, Doubles]:
    n = len(diagonal)
    vectors, work = np.empty((n, n), order="F"), np.empty(1 + 4 * n + n * n)
    integers = np.empty(3 + 5 * n, np.intc)
    _call("dstedc", b"I", n, diagonal, beside, vectors, n, work, len(work), integers, len(integers))
    return diagonal, vectors[:, n - count :]


def _call(name: str, *arguments: bytes | int | NDArray) -> None:
    info = ctypes.c_int()
    _routine(name, len(arguments) + 1)(*map(_passed, arguments), ctypes.byref(info))
    if info.value:
        raise torch.linalg.LinAlgError(f"{name} did not converge ({info.value})")


def _passed(argument: bytes | int | NDArray) -> object:
    """Return an argument as Fortran takes it, by its address."""
    if isinstance(argument, np.ndarray):
        return argument.ctypes.data
    return ctypes.byref(ctypes.c_int(argument)) if isinstance(argument, int) else argument


_capsule_name = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)(
    ("PyCapsule_GetName", ctypes.pythonapi)
)
_capsule_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)


@cache
def _routine(name: str, num_arguments: int) -> Callable[..., None]:
    """Return a routine whose arguments are addresses; it runs without the interpreter's lock."""
    from scipy.linalg import cython_lapack  # here, since it loads slowly

    capsule = cython_lapack.__pyx_capi__[name]
    address = _capsule_pointer(capsule, _capsule_name(capsule))
    return ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * num_arguments)(address)
