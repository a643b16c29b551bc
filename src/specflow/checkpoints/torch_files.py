"""Files of torch.save, read without executing anything, one tensor at a time."""

import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from specflow.checkpoints.base import TensorInfo
from specflow.checkpoints.mapped import MappedFile
from specflow.errors import SpecflowError, one_line
from specflow.wiring.names import some_of

USUAL_KEYS = ("state_dict", "model_state_dict", "model", "module", "net", "network", "weights")


class TorchFile(MappedFile):
    """A state dict, or a training checkpoint that holds one.

    A file of torch 1.6 or later is mapped. An older one has no index and is read whole.
    """

    def __init__(self, path: Path, key: str | None) -> None:
        """Read the names, shapes and dtypes.

        Args:
            path: The file.
            key: Where the weights are, with dots; None finds them.

        Raises:
            SpecflowError: If the file is broken, needs code to be executed, or has no weights
                there.
        """
        self._key, self._is_zip = key, zipfile.is_zipfile(path)
        super().__init__(path)
        infos, skipped = {}, {}
        for name, value in self._content.items():
            if not isinstance(name, str):
                raise SpecflowError(f"{path}: a tensor has the name {name!r}; expected text")
            reason = reason_to_skip(value) or self._reason_of_size(value)
            if reason is None:
                infos[name] = TensorInfo(tuple(value.shape), value.dtype)
            else:
                skipped[name] = reason
        self.infos, self.skipped = infos, skipped

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

    def _take(self, content: Mapping[Any, Any], name: str) -> Tensor:
        return content[name].detach()

    def _reason_of_size(self, value: Tensor) -> str | None:
        size = value.numel() * value.element_size()
        is_larger = size > self._size
        return f"claims {size} bytes in a file of {self._size}" if is_larger else None

    def _weights(self, content: Any) -> Mapping[Any, Any]:
        if self._key is not None:
            return self._at_key(content, self._key)
        if not isinstance(content, Mapping):
            raise SpecflowError(f"{self._path}: got a {_kind(content)}; expected a dict of tensors")
        if content and all(isinstance(value, Tensor) for value in content.values()):
            return content
        usual = [key for key in USUAL_KEYS if _holds_tensors(content.get(key))]
        if len(usual) == 1:
            return content[usual[0]]
        found = f"weights under {usual}" if usual else "no weights under a usual key"
        raise SpecflowError(f"{self._path}: {found}; expected `key` to be one of {_keys(content)}")

    def _at_key(self, content: Any, key: str) -> Mapping[Any, Any]:
        found = content
        for part in key.split("."):
            if not isinstance(found, Mapping) or part not in found:
                where = _keys(found) if isinstance(found, Mapping) else f"a {_kind(found)}"
                raise SpecflowError(f"{self._path}: key {key!r}: there is no {part!r}, but {where}")
            found = found[part]
        if not _holds_tensors(found):
            got = _keys(found) if isinstance(found, Mapping) else f"a {_kind(found)}"
            raise SpecflowError(f"{self._path}: key {key!r}: got {got}; expected a dict of tensors")
        return found


def _holds_tensors(value: Any) -> bool:
    return isinstance(value, Mapping) and any(isinstance(v, Tensor) for v in value.values())


def reason_to_skip(value: Any) -> str | None:
    """Return why an entry of a state dict is no dense tensor; None if it is one."""
    if not isinstance(value, Tensor):
        return f"a {_kind(value)}: no tensor"
    if value.layout != torch.strided or value.is_quantized or value.is_meta:
        return "sparse, quantized or without data: no dense tensor"
    return None


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
    return f"[{some_of(map(str, content), 20)}]"
