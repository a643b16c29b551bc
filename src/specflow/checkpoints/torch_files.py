"""Files of torch.save, read tensor by tensor; nothing in them is executed.

torch 1.6 and later write an archive of records, of which one is a pickle; earlier ones write five
pickles, and then the bytes of all storages. Both tell where the bytes of a tensor lie.
"""

import struct
import sys
import zipfile
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from specflow.checkpoints.base import Infos
from specflow.checkpoints.formats import Place, TensorFile
from specflow.checkpoints.pickles import Global, Inert, rebuilt
from specflow.checkpoints.torch_pickles import (
    Stored,
    TorchPickle,
    entries_of,
    holds_tensors,
    is_module,
    state_in,
)
from specflow.errors import SpecflowError, one_line, shown
from specflow.wiring.names import some_of

ARCHIVE = b"PK\x03\x04"
_OUR_ORDER = sys.byteorder.encode()
_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # of torch before 1.6
USUAL_KEYS = (
    *("state_dict", "model_state_dict", "model", "module", "net", "network", "weights"),
    *("params", "model_state"),
)
_ELSEWHERE = "tensors under another key, which --key reads in place of these"


class TorchFile(TensorFile):
    """A state dict, a training checkpoint that holds one, or a pickled module."""

    def __init__(self, path: Path, key: str | None) -> None:
        """Read the names, shapes and dtypes of the weights at a key with dots; None finds them.

        Raises:
            SpecflowError: If the file is broken, or has no weights there.
        """
        self._key = key
        self._others: Mapping[str, str] = {}
        super().__init__(path)

    def _look(self) -> None:
        with self._path.open("rb") as file:
            try:
                content = self._content(file, self._identity[1])
                weights = self._weights(content)
            except SpecflowError:
                raise
            except Exception as error:  # damaged archives and pickles raise anything
                raise SpecflowError(f"{self._path}: {_refusal(error)}") from error
        self._hold(weights)

    def _content(self, file: BinaryIO, size: int) -> Any:
        """Return what was saved, with tensors that know where their bytes are."""
        if file.read(len(ARCHIVE)) == ARCHIVE:  # as torch tells
            archive = _Archive(zipfile.ZipFile(file), file, size)
            self._swapped = archive.is_swapped
            return archive.content()
        file.seek(0)
        return _legacy_content(file, size)

    def _hold(self, weights: Mapping[Any, Any]) -> None:
        infos: dict[str, Any] = {}
        self.skipped: Mapping[str, str] = (skipped := dict(self._others))
        self._places: Mapping[str, Place] = (places := {})
        size = self._identity[1]
        for name, value in weights.items():
            if not isinstance(name, str):
                raise SpecflowError(
                    f"{self._path}: a tensor has the name {shown(name)}; expected text"
                )
            if not isinstance(value, Stored):
                skipped[name] = _no_tensor(value)
            elif value.num_bytes > size:
                skipped[name] = f"claims {value.num_bytes} bytes in a file of {size}"
            else:
                infos[name] = value.info
                try:
                    places[name] = value.place()
                except ValueError as error:
                    raise SpecflowError(f"{self._path}: {name}: {error}; broken") from error
        self.infos: Infos = infos

    def _weights(self, content: Any) -> Mapping[Any, Any]:
        """Return the state dict, at the key or where it usually is.

        Raises:
            SpecflowError: If there is none, or several.
        """
        if self._key is not None:
            return self._at_key(content, self._key)
        entries = entries_of(content)
        if entries is None:
            raise SpecflowError(f"{self._path}: got {_shown(content)}; expected a dict of tensors")
        if is_module(content):
            return state_in(content) or {}
        found = {key: state_in(entries.get(key)) for key in USUAL_KEYS}
        usual = [key for key, state in found.items() if state is not None]
        if len(usual) == 1:
            self._others = dict(_beside(usual[0], entries))
            return found[usual[0]] or {}
        if holds_tensors(content) and not any(map(holds_tensors, entries.values())):
            return entries  # beside tensors, entries such as an epoch
        if {"state", "param_groups"} <= entries.keys():
            raise SpecflowError(
                f"{self._path}: the state of an optimizer; expected the weights that lie beside it"
            )
        said = f"weights under {usual}" if usual else "no weights under a usual key"
        raise SpecflowError(
            f"{self._path}: {said}; expected `key` (--key) to be one of {_shown(content)}"
        )

    def _at_key(self, content: Any, key: str) -> Mapping[Any, Any]:
        problem, found = f"{self._path}: key {key!r}", content
        for part in key.split("."):
            entries = entries_of(found)
            if entries is None or part not in entries:
                raise SpecflowError(f"{problem}: there is no {part!r}, but {_shown(found)}")
            found = entries[part]
        state = state_in(found)
        if state is None:
            raise SpecflowError(f"{problem}: got {_shown(found)}; expected a dict of tensors")
        return state


class _Archive:
    """The records of an archive that torch.save wrote, each found by its name."""

    def __init__(self, archive: zipfile.ZipFile, file: BinaryIO, size: int) -> None:
        """Take in which records there are.

        Raises:
            ValueError: If they are not as torch.save stores them: what was packed by something
                else may unpack to any size.
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

    @property
    def is_swapped(self) -> bool:
        """Whether its numbers have their bytes in another order than those of this machine."""
        return "byteorder" in self._members and self._read("byteorder") != _OUR_ORDER

    def content(self) -> Any:
        """Return what was saved."""
        return TorchPickle(self._find).content(BytesIO(self._read("data.pkl")))

    def _find(self, key: str, size: int) -> int:
        """Return where the bytes of a record begin: after its own header.

        Raises:
            ValueError: If it is of another size.
        """
        member = self._members[f"data/{key}"]
        if member.file_size != size:
            raise ValueError(f"record {key} has {member.file_size} bytes, not {size}")
        self._file.seek(member.header_offset)
        *_, name, extra = struct.unpack("<4s5H3I2H", self._file.read(30))
        return member.header_offset + 30 + name + extra

    def _read(self, name: str) -> bytes:
        return self._archive.read(self._members[name])


def _legacy_content(file: BinaryIO, size: int) -> Any:
    """Return what torch before 1.6 saved: three numbers of its own, content, keys, storages.

    Raises:
        ValueError: If that is not what the file holds.
    """
    if rebuilt(file, {}) != _MAGIC or rebuilt(file, {}) != _PROTOCOL:
        raise ValueError("a pickle, but not by torch.save")
    rebuilt(file, {})  # of the machine: numbers lie there in one order of bytes
    pickle = TorchPickle()
    content, keys = pickle.content(file), rebuilt(file, {})
    place = file.tell()
    for key in keys:
        storage = pickle.storages[key]
        file.seek(place)
        if int.from_bytes(file.read(8), "little") * storage.dtype.itemsize != storage.size:
            raise ValueError(f"storage {key} is not of {storage.size} bytes")
        storage.begins = place + 8
        place += 8 + storage.size
    if place > size:
        raise ValueError(f"{size} bytes, not {place}")
    return content


def _beside(usual: str, entries: Mapping[Any, Any]) -> Iterator[tuple[str, str]]:
    """Yield what lies beside the weights and is not read: tensors, and what holds some."""
    for key, value in entries.items():
        if key == usual or not isinstance(key, str):
            continue
        if isinstance(value, Stored):
            yield f"{key} (beside {usual})", "a tensor that is none of the weights"
        elif _has_some(value):
            yield f"{key}.*", _ELSEWHERE


def _has_some(value: Any) -> bool:
    """Return whether an entry beside the weights holds tensors, or a dict of some: an average."""
    return holds_tensors(value) or any(map(holds_tensors, (entries_of(value) or {}).values()))


def _no_tensor(value: Any) -> str:
    """Return why an entry of a state dict is no dense tensor."""
    kind = _kind(value)
    if kind.startswith("torch._utils._rebuild"):
        return "sparse, quantized or without data: no dense tensor"
    return f"of type {kind}: no tensor"


def _kind(value: Any) -> str:
    kind = value.kind if isinstance(value, Inert) else type(value).__name__
    return str(kind)[:100] if isinstance(kind, str | Global) else "call of no function"


def _refusal(error: Exception) -> str:
    """Return why a file cannot be read."""
    text = str(error)
    if text.startswith("an archive"):
        return f"{text}; expected records as torch.save stores them"
    if text.startswith("a pickle, but"):
        return f"{text}; expected a state dict, saved with torch.save or safetensors"
    reason = shown(one_line(error)).strip("'\"")
    return f"broken or truncated ({reason}); expected a whole file of torch.save"


def _shown(value: Any) -> str:
    """Return the keys of a dict, or the kind of anything else, for a message."""
    entries = entries_of(value)
    if entries is None or is_module(value):
        return f"something of type {_kind(value)}"
    return f"[{some_of(map(_key_shown, entries), 20)}]"


def _key_shown(key: Any) -> str:
    return key if isinstance(key, str) and len(key) <= 100 else shown(key)
