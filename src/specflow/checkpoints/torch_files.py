"""Files of torch.save, read tensor by tensor; none is executed."""

import re
import struct
import sys
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from specflow.checkpoints.formats import Place, TensorFile, held_by
from specflow.errors import SpecflowError, one_line
from specflow.wiring.names import some_of

USUAL_KEYS = ("state_dict", "model_state_dict", "model", "module", "net", "network", "weights")


class TorchFile(TensorFile):
    """A state dict, or a training checkpoint that holds one.

    Of a file of torch 1.6 or later, the data are read when a tensor is. An older one, or one of a
    machine with another order of bytes, is read whole.
    """

    def __init__(self, path: Path, key: str | None) -> None:
        """Read the names, shapes and dtypes of the weights at a key with dots; None finds them.

        Raises:
            SpecflowError: If the file is broken, needs code to be executed, or has no weights
                there.
        """
        self._key = key
        self._content: Mapping[Any, Any] | None = None
        super().__init__(path)

    def _look(self) -> None:
        records = self._records() if zipfile.is_zipfile(self._path) else {}
        place = "meta" if records else "cpu"  # without data, or with them
        try:
            with warnings.catch_warnings(action="ignore"):
                content = torch.load(self._path, map_location=place, weights_only=True)
        except Exception as error:  # a damaged pickle makes the unpickler raise anything
            raise SpecflowError(f"{self._path}: {_refusal(error)}") from error
        weights = self._weights(content)
        self.infos, self.skipped = held_by(weights, self._path, self._identity[1], place)
        if records:
            self._places = {name: self._place(name, weights[name], records) for name in self.infos}
        else:
            self._content = weights

    def read(self, name: str) -> Tensor:
        """Return a contiguous copy of one tensor; errors as of all files."""
        if self._content is None:
            return super().read(name)
        return self._content[name].detach().clone(memory_format=torch.contiguous_format)

    def _records(self) -> dict[int, int]:
        """Return the sizes of the records by where their bytes lie; {} if these are swapped.

        Raises:
            SpecflowError: If the archive is broken or compressed: torch.save stores, and what
                was packed by something else may unpack to any size.
        """
        try:
            with zipfile.ZipFile(self._path) as archive, self._path.open("rb") as file:
                members = archive.infolist()
                packed = any(one.compress_type != zipfile.ZIP_STORED for one in members)
                if packed or sum(one.file_size for one in members) > self._identity[1]:
                    raise SpecflowError(
                        f"{self._path}: an archive that is compressed, or claims more than it "
                        "has; expected records as torch.save stores them"
                    )
                orders = [one for one in members if one.filename.endswith("/byteorder")]
                if any(archive.read(one) != sys.byteorder.encode() for one in orders):
                    return {}
                return {_data_of(one, file): one.file_size for one in members}
        except SpecflowError:
            raise
        except Exception as error:  # as below
            raise SpecflowError(f"{self._path}: {_refusal(error)}") from error

    def _place(self, name: str, tensor: Tensor, records: Mapping[int, int]) -> Place:
        storage = tensor.untyped_storage()
        start = storage._checkpoint_offset or 0
        if records.get(start) != storage.nbytes():
            raise SpecflowError(f"{self._path}: {name}: its record has another size; broken")
        return Place(start + int(tensor.storage_offset()) * tensor.itemsize, tensor.stride())

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


def _data_of(member: zipfile.ZipInfo, file: BinaryIO) -> int:
    """Return where the bytes of a member begin: after its own header, of fixed and named parts."""
    file.seek(member.header_offset)
    *_, name, extra = struct.unpack("<4s5H3I2H", file.read(30))
    return member.header_offset + 30 + name + extra


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
