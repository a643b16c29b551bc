"""Files of the safetensors format."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from specflow.checkpoints.base import TensorInfo
from specflow.checkpoints.mapped import MappedFile
from specflow.errors import SpecflowError, one_line
from specflow.wiring.names import in_natural_order

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


class SafetensorsFile(MappedFile):
    """A safetensors file; the library refuses headers that do not fit the file."""

    def __init__(self, path: Path) -> None:
        """Read the header.

        Args:
            path: The file.

        Raises:
            SpecflowError: If it is no whole safetensors file.
        """
        super().__init__(path)
        infos, skipped = {}, {}
        for name in in_natural_order(self._content.keys()):
            entry = self._content.get_slice(name)
            dtype = _DTYPES.get(entry.get_dtype())
            if dtype is None:
                skipped[name] = f"dtype {entry.get_dtype()}: no floating point of torch"
            else:
                infos[name] = TensorInfo(tuple(entry.get_shape()), dtype)
        self.infos, self.skipped = infos, skipped

    def _map(self) -> Any:
        with self._reading():
            return safe_open(self._path, framework="pt", device="cpu")

    def _take(self, content: Any, name: str) -> Tensor:
        with self._reading():
            return content.get_tensor(name)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (SafetensorError, OSError) as error:
            raise SpecflowError(
                f"{self._path}: broken or truncated ({one_line(error)}); "
                "expected a whole safetensors file"
            ) from error
