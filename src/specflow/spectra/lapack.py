"""Routines of LAPACK for symmetric matrices in tridiagonal form, each called by one thread.

scipy's own wrappers keep the interpreter's lock while LAPACK computes, so that a pool of threads
would work one by one. These call the same routines by their addresses, as Cython would, and let go
of the lock meanwhile.
"""

import ctypes
from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cython_lapack

Doubles = NDArray[np.float64]

_BLOCK = 64  # columns that dsytrd takes together, at most


def tridiagonal_form(columns: Doubles) -> tuple[Doubles, Doubles, Doubles] | None:
    """Bring a symmetric matrix to tridiagonal form Q^T A Q (dsytrd).

    Args:
        columns: Shape (n, n), in Fortran's order, its lower half filled; Householder vectors,
            whose product is Q, take its place below the diagonal.

    Returns:
        Diagonal (n,), what is beside it (n - 1,), and scales of the Householder vectors (n - 1,);
        None where LAPACK gave up.
    """
    assert columns.flags.f_contiguous, columns.flags
    n = len(columns)
    diagonal, beside, scales = np.empty(n), np.empty(n - 1), np.empty(n - 1)
    work = np.empty(_BLOCK * n)
    found = (columns, n, diagonal, beside, scales, work, len(work))
    return None if _call("dsytrd", b"L", n, *found) else (diagonal, beside, scales)


def eigenvalues(diagonal: Doubles, beside: Doubles) -> Doubles | None:
    """Return all eigenvalues of a tridiagonal matrix, ascending (dsterf); None if that fails."""
    values = diagonal.copy()
    return None if _call("dsterf", len(values), values, beside.copy()) else values


def leading_vectors(diagonal: Doubles, beside: Doubles, count: int) -> Doubles | None:
    """Return the eigenvectors of the largest eigenvalues of a tridiagonal matrix (dstemr).

    Args:
        diagonal: Shape (n,).
        beside: Shape (n - 1,).
        count: How many, 1 to n.

    Returns:
        Shape (n, count), in Fortran's order, by ascending eigenvalue; None where LAPACK gave up.
    """
    n = len(diagonal)
    vectors, values, num_found = np.empty((n, count), order="F"), np.empty(n), np.zeros(1, np.intc)
    support, nothing = np.empty(2 * count, np.intc), np.zeros(1)
    work, integers = np.empty(18 * n), np.empty(10 * n, np.intc)
    matrix = (n, diagonal.copy(), np.append(beside, 0.0))
    chosen = (nothing, nothing, n - count + 1, n)
    found = (num_found, values, vectors, n, count, support)
    space = (work, len(work), integers, len(integers))
    failed = _call("dstemr", b"V", b"I", *matrix, *chosen, *found, 1, *space)
    return None if failed or num_found[0] != count else vectors


def _call(name: str, *arguments: bytes | int | NDArray) -> int:
    """Call a routine of LAPACK and return its `info`, 0 if all went well."""
    info = ctypes.c_int()
    _routine(name, len(arguments) + 1)(*map(_passed, arguments), ctypes.byref(info))
    return info.value


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
    capsule = cython_lapack.__pyx_capi__[name]
    address = _capsule_pointer(capsule, _capsule_name(capsule))
    return ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * num_arguments)(address)
