"""Files of one step, of safetensors or torch.save, read tensor by tensor; none is executed."""

import json
import math
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from specflow.checkpoints.base import Infos
from specflow.errors import SpecflowError, one_line
from specflow.wiring.names import in_natural_order
from specflow.wiring.tensors import TensorInfo

_SAFETENSORS_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E4M3FNUZ": torch.float8_e4m3fnuz,
    "F8_E5M2": torch.float8_e5m2,
    "F8_E5M2FNUZ": torch.float8_e5m2fnuz,
    "F8_E8M0": torch.float8_e8m0fnu,
    "C64": torch.complex64,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U64": torch.uint64,
    "U32": torch.uint32,
    "U16": torch.uint16,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


class Place(NamedTuple):
    """Where a tensor lies: its bytes from `offset` of the file on, and its strides in them."""

    offset: int
    stride: tuple[int, ...]


Places = Mapping[str, Place]


class TensorFile(ABC):
    """The tensors of a file (`Tensors`).

    It is read, not mapped: a mapped file that another process cuts would end this one. It is opened
    once, for the first tensor, and must stay the one that it was.
    """

    infos: Infos
    skipped: Mapping[str, str]
    _places: Places
    _swapped = False  # whether numbers have their bytes in another order than here
    _file: FileIO | None = None

    def __init__(self, path: Path) -> None:
        """Read the names, shapes and dtypes.

        Raises:
            SpecflowError: If the file is broken.
        """
        self._path = path
        with _cannot_be_read(path):
            self._identity = _identity_of(path.stat())
            self._look()
            self._check(path.stat())

    @abstractmethod
    def _look(self) -> None:
        """Find out what the file holds, and where."""

    def read(self, name: str) -> Tensor:
        """Return a contiguous copy of one tensor.

        Raises:
            SpecflowError: If the file has changed since it was opened first.
        """
        (offset, stride), info = self._places[name], self.infos[name]
        if not math.prod(info.shape):
            return torch.empty(info.shape, dtype=info.dtype)
        last = sum((size - 1) * step for size, step in zip(info.shape, stride, strict=True))
        data = torch.empty((last + 1) * info.dtype.itemsize, dtype=torch.uint8)
        with _cannot_be_read(self._path):
            self._read_into(data.numpy().data, offset, name)
        if self._swapped:
            data = data.view(-1, _word_of(info.dtype)).flip(1).view(-1)
        return data.view(info.dtype).as_strided(info.shape, stride).contiguous()

    def close(self) -> None:
        """Close the file; the next read opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _read_into(self, data: memoryview, offset: int, name: str) -> None:
        """Fill a buffer with the bytes from an offset on.

        Raises:
            SpecflowError: If the file has changed since it was looked at, or ends before.
        """
        if self._file is None:
            self._file = FileIO(self._path)
            self._check(os.fstat(self._file.fileno()))
        self._file.seek(offset)
        done = 0
        while done < len(data):
            count = self._file.readinto(data[done:])
            if not count:
                raise SpecflowError(f"{self._path}: truncated at {name!r}")
            done += count
        self._check(self._path.stat())

    def _check(self, now: os.stat_result) -> None:
        if _identity_of(now) != self._identity:
            raise SpecflowError(
                f"{self._path}: cut, written or replaced while it was read; expected a file that "
                "stays as it is"
            )


def _word_of(dtype: torch.dtype) -> int:
    """Return the bytes of a number that a machine orders."""
    return dtype.itemsize // 2 if dtype.is_complex else dtype.itemsize


def _identity_of(state: os.stat_result) -> tuple[int, int, int]:
    return state.st_ino, state.st_size, state.st_mtime_ns


@contextmanager
def _cannot_be_read(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SpecflowError(f"{path}: cannot be read ({one_line(error)})") from error


class SafetensorsFile(TensorFile):
    """A safetensors file; the library refuses headers that do not fit the file."""

    def _look(self) -> None:
        self.infos, self.skipped, self._places = told_by(*self._header())

    def _header(self) -> tuple[dict[str, Any], int]:
        """Return the header, and where the data begin.

        Raises:
            SpecflowError: If it does not fit the file.
        """
        try:
            with safe_open(self._path, framework="pt", device="cpu"):
                pass
        except (SafetensorError, OSError) as error:
            raise SpecflowError(
                f"{self._path}: broken or truncated ({one_line(error)}); "
                "expected a whole safetensors file"
            ) from error
        with self._path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length))
        header.pop("__metadata__", None)
        return header, 8 + length


def told_by(header: Mapping[str, Any], start: int) -> tuple[Infos, Mapping[str, str], Places]:
    """Return what a safetensors header that fits its file tells.

    Args:
        header: Its entries but for the metadata.
        start: Where the data begin in the file.

    Returns:
        The tensors, why others cannot be read, and where those tensors lie.
    """
    infos, skipped, places = {}, {}, {}
    for name in in_natural_order(header):
        entry = header[name]
        dtype, shape = _SAFETENSORS_DTYPES.get(entry["dtype"]), tuple(entry["shape"])
        if dtype is None:
            skipped[name] = f"dtype {entry['dtype']}: no floating point of torch"
            continue
        infos[name] = TensorInfo(shape, dtype)
        stride = tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
        places[name] = Place(start + entry["data_offsets"][0], stride)
    return infos, skipped, places
