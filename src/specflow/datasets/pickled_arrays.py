"""Reading a pickle of plain values and arrays of bytes that can run nothing."""

import io
import math
import pickle
from typing import Any

import numpy as np


class PickleError(ValueError):
    """A pickle that is damaged, or has something else than was expected."""


class PickledArray:
    """Stands for `numpy.ndarray` while unpickling, so that numpy itself interprets nothing."""

    def __init__(self, *_: object) -> None:
        """Ignore what numpy's own constructor would be given: the state has it all."""
        self._state: object = None

    def __setstate__(self, state: object) -> None:
        self._state = state

    def as_bytes(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return the array.

        Args:
            shape: The shape that it must have.

        Returns:
            Array of this shape, uint8.

        Raises:
            PickleError: If its type, shape or length is another.
        """
        match self._state:
            case (1, found, _DType(name=b"u1"), bool(fortran), bytes(content)):
                if found != shape or len(content) != math.prod(shape):
                    raise PickleError(
                        f"array of shape {found} in {len(content)} bytes; expected {shape}"
                    )
                order: Any = "F" if fortran else "C"
                return np.frombuffer(content, dtype=np.uint8).reshape(shape, order=order)
        raise PickleError("array of another type; expected unsigned bytes")


class _DType:
    """Stands for `numpy.dtype`."""

    def __init__(self, name: object = None, *_: object) -> None:
        self.name = name

    def __setstate__(self, state: object) -> None:
        """Ignore the order of bytes and fields, which unsigned bytes do not have."""


# All that pickled arrays name. BUILD on a class calls its `__setstate__` without an instance, which
# fails, so that no attribute of these classes can be set either.
_KNOWN: dict[tuple[str, str], type] = {
    ("numpy.core.multiarray", "_reconstruct"): PickledArray,
    ("numpy._core.multiarray", "_reconstruct"): PickledArray,
    ("numpy", "ndarray"): PickledArray,
    ("numpy", "dtype"): _DType,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> type:
        if (module, name) not in _KNOWN:
            raise pickle.UnpicklingError(f"names {module}.{name}; expected arrays and lists only")
        return _KNOWN[module, name]


def read_pickle(content: bytes) -> Any:
    """Return what was pickled, with arrays as `PickledArray`; text of Python 2 as bytes.

    Args:
        content: The pickle.

    Returns:
        Numbers, bytes, text, arrays, and lists, tuples and dicts of them.

    Raises:
        PickleError: If it is damaged, or names anything but arrays.
    """
    try:
        return _Unpickler(io.BytesIO(content), encoding="bytes").load()
    except Exception as error:  # damaged pickles raise errors of nearly every type
        raise PickleError(f"cannot be unpickled: {error}") from error
