"""Files of torch.save, read tensor by tensor; none is executed."""

import io
import re
import struct
import sys
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import torch
from torch import Tensor, _weights_only_unpickler

from specflow.checkpoints.formats import Place, TensorFile, held_by
from specflow.errors import SpecflowError, one_line
from specflow.wiring.names import some_of

_ARCHIVE = b"PK\x03\x04"
_OUR_ORDER = sys.byteorder.encode()
USUAL_KEYS = ("state_dict", "model_state_dict", "model", "module", "net", "network", "weights")


class TorchFile(TensorFile):
    """A state dict, or a training checkpoint that holds one.

    Of a file of torch 1.6 or later, which is an archive, the data are read when a tensor is. An
    older one, or one of a machine with another order of bytes, is read whole.
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
        with self._path.open("rb") as file:
            archive = _Archive.of(file, self._path, self._identity[1])
            place = "cpu" if archive is None else "meta"  # with data, or without them
            try:
                with warnings.catch_warnings(action="ignore"):
                    content = archive.content() if archive else self._whole()
            except Exception as error:  # a damaged pickle makes the unpickler raise anything
                raise SpecflowError(f"{self._path}: {_refusal(error)}") from error
        weights = self._weights(content)
        self.infos, self.skipped = held_by(weights, self._path, self._identity[1], place)
        if archive:
            self._places = {name: self._place(name, weights[name]) for name in self.infos}
        else:
            self._content = weights

    def _place(self, name: str, tensor: Tensor) -> Place:
        storage: Any = tensor.untyped_storage()
        if storage.nbytes() != storage.record.size:  # one without data grows with its tensor
            raise SpecflowError(f"{self._path}: {name}: larger than its record; broken")
        start = storage.record.begins + int(tensor.storage_offset()) * tensor.itemsize
        return Place(start, tensor.stride())

    def _whole(self) -> Any:
        return torch.load(self._path, map_location="cpu", weights_only=True)

    def read(self, name: str) -> Tensor:
        """Return a contiguous copy of one tensor; errors as of all files."""
        if self._content is None:
            return super().read(name)
        return self._content[name].detach().clone(memory_format=torch.contiguous_format)

    def _weights(self, content: Any) -> Mapping[Any, Any]:
        if self._key is not None:
            return self._at_key(content, self._key)
        if not isinstance(content, Mapping):
            raise SpecflowError(f"{self._path}: got {_shown(content)}; expected a dict of tensors")
        usual = [key for key in USUAL_KEYS if _holds_tensors(content.get(key))]
        if len(usual) == 1:
            return content[usual[0]]
        if _holds_tensors(content) and not any(map(_holds_tensors, content.values())):
            return content  # beside tensors, entries such as an epoch
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


class _Record(NamedTuple):
    """Where the bytes of a storage are."""

    begins: int
    size: int


class _Archive:
    """The records of an archive that torch.save wrote, each found by its name."""

    def __init__(self, archive: zipfile.ZipFile, file: BinaryIO, size: int) -> None:
        """Take in which records there are.

        Raises:
            ValueError: If they are not as torch.save stores them: what was packed by something
                else may unpack to any size; or if it is a program.
        """
        members = archive.infolist()
        packed = any(one.compress_type != zipfile.ZIP_STORED for one in members)
        if packed or sum(one.file_size for one in members) > size:
            raise ValueError("an archive that is compressed, or claims more than it has")
        root = members[0].filename.partition("/")[0] if members else ""
        self._archive, self._file = archive, file
        self._members = {one.filename.removeprefix(f"{root}/"): one for one in members}
        if len(self._members) < len(members):
            raise ValueError("an archive with two records of one name")
        if "constants.pkl" in self._members:
            raise ValueError("a TorchScript program")

    @classmethod
    def of(cls, file: BinaryIO, path: Path, size: int) -> "_Archive | None":
        """Return the archive of a file; None if it is none, or has bytes in another order.

        Raises:
            SpecflowError: If it is broken, a program, or not as torch.save writes it.
        """
        is_archive = file.read(len(_ARCHIVE)) == _ARCHIVE  # as torch tells
        try:
            found = cls(zipfile.ZipFile(file), file, size) if is_archive else None
            return found if found and found._is_in_our_order() else None
        except Exception as error:  # as that of a damaged one may be anything
            raise SpecflowError(f"{path}: {_refusal(error)}") from error

    def content(self) -> Any:
        """Return what was saved, with tensors that know where their bytes are, without these."""
        unpickler = _weights_only_unpickler.Unpickler(io.BytesIO(self._read("data.pkl")))
        unpickler.persistent_load = self._storage  # type: ignore[method-assign]
        return unpickler.load()

    def _storage(self, identifier: Any) -> torch.TypedStorage:
        _, kind, key, _, length = identifier
        dtype = torch.uint8 if kind is torch.UntypedStorage else kind.dtype
        member, size = self._members[f"data/{key}"], length * dtype.itemsize
        if member.file_size != size:
            raise ValueError(f"record {key} has {member.file_size} bytes, not {size}")
        storage: Any = torch.UntypedStorage(size, device="meta")
        storage.record = _Record(self._data_of(member), size)
        return torch.TypedStorage(wrap_storage=storage, dtype=dtype, _internal=True)

    def _data_of(self, member: zipfile.ZipInfo) -> int:
        """Return where the bytes of a member begin: after its own header."""
        self._file.seek(member.header_offset)
        *_, name, extra = struct.unpack("<4s5H3I2H", self._file.read(30))
        return member.header_offset + 30 + name + extra

    def _is_in_our_order(self) -> bool:
        return "byteorder" not in self._members or self._read("byteorder") == _OUR_ORDER

    def _read(self, name: str) -> bytes:
        return self._archive.read(self._members[name])


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
    if text.startswith("an archive"):
        return f"{text}; expected records as torch.save stores them"
    detail = re.search(r"WeightsUnpickler error:\s*(.+)", text)
    reason = detail[1].strip() if detail else one_line(error)
    return f"broken or truncated ({reason}); expected a whole file of torch.save"


def _shown(value: Any) -> str:
    """Return the keys of a mapping, or the kind of anything else, for a message."""
    if isinstance(value, Mapping):
        return f"[{some_of(map(str, value), 20)}]"
    return f"a {type(value).__name__}"
