"""Files of torch.save, read without executing anything, one tensor at a time."""

import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from specflow.suites.checkpoint import CheckpointFile, TensorInfo, one_line
from specflow.suites.errors import SuiteError

USUAL_KEYS = ("state_dict", "model_state_dict", "model", "module", "net", "network", "weights")
MAPPED_BYTES = 64 * 2**20


class TorchFile(CheckpointFile):
    """A state dict, or a training checkpoint that holds one.

    A file of torch 1.6 or later is mapped, and mapped anew after `MAPPED_BYTES` that were read:
    these count as memory until then. An older one has no index and is read whole.
    """

    def __init__(self, path: Path, key: str | None) -> None:
        """Read the names, shapes and dtypes.

        Args:
            path: The file.
            key: Where the weights are, with dots; None finds them.

        Raises:
            SuiteError: If the file is broken, needs code to be executed, or has no weights there.
        """
        self._path, self._key = path, key
        self._mapped = zipfile.is_zipfile(path)
        self._content, self._num_bytes_read = self._load(), 0
        tensors, skipped = {}, {}
        size = path.stat().st_size
        for name, value in self._weights(self._content).items():
            if not isinstance(name, str):
                raise SuiteError(f"{path}: a tensor has the name {name!r}; expected text")
            reason = _reason_to_skip(value, size)
            if reason is None:
                tensors[name] = TensorInfo(tuple(value.shape), value.dtype)
            else:
                skipped[name] = reason
        self.tensors, self.skipped = tensors, skipped

    def read(self, name: str) -> Tensor:
        """Return one tensor on the CPU in its own dtype."""
        if self._mapped and self._num_bytes_read > MAPPED_BYTES:
            self._content, self._num_bytes_read = None, 0
            self._content = self._load()
        value = self._weights(self._content)[name].detach()
        self._num_bytes_read += value.nbytes
        return value.clone(memory_format=torch.contiguous_format)

    def _load(self) -> Any:
        try:
            with warnings.catch_warnings(action="ignore"):
                return torch.load(
                    self._path, map_location="cpu", weights_only=True, mmap=self._mapped
                )
        except Exception as error:  # a damaged pickle makes the unpickler raise anything
            raise SuiteError(f"{self._path}: {_refusal(error)}") from error

    def _weights(self, content: Any) -> Mapping[Any, Any]:
        if self._key is not None:
            return self._at_key(content, self._key)
        if not isinstance(content, Mapping):
            raise SuiteError(f"{self._path}: got a {_kind(content)}; expected a dict of tensors")
        if content and all(isinstance(value, Tensor) for value in content.values()):
            return content
        usual = [key for key in USUAL_KEYS if _holds_tensors(content.get(key))]
        if len(usual) == 1:
            return content[usual[0]]
        found = f"weights under {usual}" if usual else "no weights under a usual key"
        raise SuiteError(f"{self._path}: {found}; expected `key` to be one of {_keys(content)}")

    def _at_key(self, content: Any, key: str) -> Mapping[Any, Any]:
        found = content
        for part in key.split("."):
            if not isinstance(found, Mapping) or part not in found:
                where = _keys(found) if isinstance(found, Mapping) else f"a {_kind(found)}"
                raise SuiteError(f"{self._path}: key {key!r}: there is no {part!r}, but {where}")
            found = found[part]
        if not _holds_tensors(found):
            got = _keys(found) if isinstance(found, Mapping) else f"a {_kind(found)}"
            raise SuiteError(f"{self._path}: key {key!r}: got {got}; expected a dict of tensors")
        return found


def _holds_tensors(value: Any) -> bool:
    return isinstance(value, Mapping) and any(isinstance(v, Tensor) for v in value.values())


def _reason_to_skip(value: Any, file_size: int) -> str | None:
    if not isinstance(value, Tensor):
        return f"a {_kind(value)}: no tensor"
    if value.layout != torch.strided or value.is_quantized or value.device.type != "cpu":
        return "sparse, quantized or without data: no dense tensor"
    size = value.numel() * value.element_size()
    return f"claims {size} bytes in a file of {file_size}" if size > file_size else None


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


def _kind(value: Any) -> str:
    return type(value).__name__


def _keys(content: Mapping[Any, Any]) -> str:
    shown = [str(key) for key in content][:20]
    return f"[{', '.join(shown)}{', ...' if len(content) > len(shown) else ''}]"
