"""Files of one step, of safetensors or torch.save, read tensor by tensor; none is executed."""

import re
import warnings
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from specflow.checkpoints.base import Infos
from specflow.errors import SpecflowError, one_line
from specflow.wiring.names import in_natural_order, some_of
from specflow.wiring.tensors import TensorInfo

MAPPED_BYTES = 64 * 2**20
USUAL_KEYS = ("state_dict", "model_state_dict", "model", "module", "net", "network", "weights")
_SAFETENSORS_DTYPES = {
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

_Held = tuple[Infos, Mapping[str, str]]


class MappedFile(ABC):
    """The tensors of a file (`Tensors`), which is mapped into memory once for many of them.

    Pages that were read count as memory until the file is closed: so it is closed, and opened
    anew, after `MAPPED_BYTES` that were read.
    """

    def __init__(self, path: Path) -> None:
        """Read the names, shapes and dtypes.

        Raises:
            SpecflowError: If the file is broken.
        """
        self._path, self._size = path, _size_of(path)
        self._content: Any = self._map()
        self._num_bytes_read = 0
        self.infos, self.skipped = self._held()

    @abstractmethod
    def _map(self) -> Any:
        """Return the mapped file; raises SpecflowError if it is broken."""

    @abstractmethod
    def _held(self) -> _Held:
        """Return what the mapped file holds, and why some entries are no tensors."""

    @abstractmethod
    def _take(self, name: str) -> Tensor:
        """Return a tensor that may lie in the mapped file."""

    def read(self, name: str) -> Tensor:
        """Return a contiguous copy of one tensor.

        Raises:
            SpecflowError: If the file was cut or grew since it was opened.
        """
        now = _size_of(self._path)
        if now != self._size:  # pages behind the end of a mapped file would end the process
            raise SpecflowError(
                f"{self._path}: broken or truncated while it was read ({now} bytes, "
                f"{self._size} before); expected a file that stays as it is"
            )
        if self._content is None:
            self._content = self._map()
        tensor = self._take(name).clone(memory_format=torch.contiguous_format)
        self._num_bytes_read += tensor.nbytes
        if self._num_bytes_read > MAPPED_BYTES:
            self.release()
        return tensor

    def release(self) -> None:
        """Close the file; it is mapped again when the next tensor is read."""
        self._content, self._num_bytes_read = None, 0


class SafetensorsFile(MappedFile):
    """A safetensors file; the library refuses headers that do not fit the file."""

    def _map(self) -> Any:
        with self._reading():
            return safe_open(self._path, framework="pt", device="cpu")

    def _held(self) -> _Held:
        infos, skipped = {}, {}
        for name in in_natural_order(self._content.keys()):
            entry = self._content.get_slice(name)
            dtype = _SAFETENSORS_DTYPES.get(entry.get_dtype())
            if dtype is None:
                skipped[name] = f"dtype {entry.get_dtype()}: no floating point of torch"
            else:
                infos[name] = TensorInfo(tuple(entry.get_shape()), dtype)
        return infos, skipped

    def _take(self, name: str) -> Tensor:
        with self._reading():
            return self._content.get_tensor(name)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (SafetensorError, OSError) as error:
            raise SpecflowError(
                f"{self._path}: broken or truncated ({one_line(error)}); "
                "expected a whole safetensors file"
            ) from error


class TorchFile(MappedFile):
    """A state dict, or a training checkpoint that holds one.

    A file of torch 1.6 or later is mapped. An older one has no index and is read whole.
    """

    def __init__(self, path: Path, key: str | None) -> None:
        """Read the names, shapes and dtypes of the weights at a key with dots; None finds them.

        Raises:
            SpecflowError: If the file is broken, needs code to be executed, or has no weights
                there.
        """
        self._key, self._is_zip = key, zipfile.is_zipfile(path)
        super().__init__(path)

    def release(self) -> None:
        """Close the file; one that was read whole stays in memory."""
        if self._is_zip:
            super().release()

    def _map(self) -> Mapping[Any, Any]:
        try:
            with warnings.catch_warnings(action="ignore"):
                content = torch.load(
                    self._path, map_location="cpu", weights_only=True, mmap=self._is_zip
                )
        except Exception as error:  # a damaged pickle makes the unpickler raise anything
            raise SpecflowError(f"{self._path}: {_refusal(error)}") from error
        return self._weights(content)

    def _held(self) -> _Held:
        return held_by(self._content, self._path, self._size)

    def _take(self, name: str) -> Tensor:
        return self._content[name].detach()

    def _weights(self, content: Any) -> Mapping[Any, Any]:
        if self._key is not None:
            return self._at_key(content, self._key)
        if not isinstance(content, Mapping):
            raise SpecflowError(f"{self._path}: got {_shown(content)}; expected a dict of tensors")
        if content and all(isinstance(value, Tensor) for value in content.values()):
            return content
        usual = [key for key in USUAL_KEYS if _holds_tensors(content.get(key))]
        if len(usual) == 1:
            return content[usual[0]]
        found = f"weights under {usual}" if usual else "no weights under a usual key"
        raise SpecflowError(f"{self._path}: {found}; expected `key` to be one of {_shown(content)}")

    def _at_key(self, content: Any, key: str) -> Mapping[Any, Any]:
        problem, found = f"{self._path}: key {key!r}", content
        for part in key.split("."):
            if not isinstance(found, Mapping) or part not in found:
                raise SpecflowError(f"{problem}: there is no {part!r}, but {_shown(found)}")
            found = found[part]
        if not _holds_tensors(found):
            raise SpecflowError(f"{problem}: got {_shown(found)}; expected a dict of tensors")
        return found


def held_by(state: Mapping[Any, Any], place: str | Path, most: float) -> _Held:
    """Return what a state dict in `place` holds, and why its other entries are no dense tensors.

    A tensor has at most `most` bytes: those of its file.

    Raises:
        SpecflowError: If a name is no text.
    """
    infos, skipped = {}, {}
    for name, value in state.items():
        if not isinstance(name, str):
            raise SpecflowError(f"{place}: a tensor has the name {name!r}; expected text")
        if not isinstance(value, Tensor):
            skipped[name] = f"a {type(value).__name__}: no tensor"
        elif value.layout != torch.strided or value.is_quantized or value.is_meta:
            skipped[name] = "sparse, quantized or without data: no dense tensor"
        elif value.nbytes > most:
            skipped[name] = f"claims {value.nbytes} bytes in a file of {most}"
        else:
            infos[name] = TensorInfo(tuple(value.shape), value.dtype)
    return infos, skipped


def _holds_tensors(value: Any) -> bool:
    return isinstance(value, Mapping) and any(isinstance(v, Tensor) for v in value.values())


def _refusal(error: Exception) -> str:
    """Return why torch refused; its own message advises to execute what the file brings."""
    text = str(error)
    needed = re.search(r"GLOBAL (\S+)", text) or re.search(r"Unsupported (operand \d+)", text)
    if needed is not None:
        return (
            f"refused, it needs {needed[1]} to be loaded, which may execute code; expected "
            "tensors, numbers and text in dicts (save the state dict alone with torch.save)"
        )
    if "TorchScript" in text:
        return "refused, a TorchScript program; expected a state dict"
    detail = re.search(r"WeightsUnpickler error:\s*(.+)", text)
    reason = detail[1].strip() if detail else one_line(error)
    return f"broken or truncated ({reason}); expected a whole file of torch.save"


def _shown(value: Any) -> str:
    """Return the keys of a mapping, or the kind of anything else, for a message."""
    if isinstance(value, Mapping):
        return f"[{some_of(map(str, value), 20)}]"
    return f"a {type(value).__name__}"


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise SpecflowError(f"{path}: cannot be read ({one_line(error)})") from error
