"""Files of the safetensors format, one tensor at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from specflow.suites.checkpoint import CheckpointFile, TensorInfo, in_natural_order, one_line
from specflow.suites.errors import SuiteError

_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
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


class SafetensorsFile(CheckpointFile):
    """A safetensors file; the library refuses headers that do not fit the file."""

    def __init__(self, path: Path) -> None:
        """Read the header.

        Args:
            path: The file.

        Raises:
            SuiteError: If it is no whole safetensors file.
        """
        self._path = path
        tensors, skipped = {}, {}
        with self._open() as file:
            for name in in_natural_order(file.keys()):
                entry = file.get_slice(name)
                dtype = _DTYPES.get(entry.get_dtype())
                if dtype is None:
                    skipped[name] = f"dtype {entry.get_dtype()}: no floating point of torch"
                else:
                    tensors[name] = TensorInfo(tuple(entry.get_shape()), dtype)
        self.tensors, self.skipped = tensors, skipped

    def read(self, name: str) -> Tensor:
        """Return one tensor on the CPU in its own dtype.

        The file is mapped anew each time: pages that were read count as memory until it is closed.
        """
        with self._open() as file:
            return file.get_tensor(name).clone()

    @contextmanager
    def _open(self) -> Iterator[Any]:
        try:
            with safe_open(self._path, framework="pt", device="cpu") as file:
                yield file
        except (SafetensorError, OSError) as error:
            raise SuiteError(
                f"{self._path}: broken or truncated ({one_line(error)}); "
                "expected a whole safetensors file"
            ) from error
