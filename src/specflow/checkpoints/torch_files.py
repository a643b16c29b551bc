"""Files of torch.save, read tensor by tensor; nothing in them is executed.

torch 1.6 and later write an archive of records, of which one is a pickle; earlier ones write five
pickles, and then the bytes of all storages. Both tell where the bytes of a tensor lie.
"""

import struct
import sys
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from specflow.checkpoints.base import Infos
from specflow.checkpoints.formats import Place, TensorFile
from specflow.checkpoints.pickles import rebuilt
from specflow.checkpoints.state_dicts import QUANTIZED_DTYPES, no_tensor, unrolled, weights_in
from specflow.checkpoints.torch_pickles import Stored, TorchPickle
from specflow.errors import SpecflowError, one_line, shown

ARCHIVE = b"PK\x03\x04"
_OUR_ORDER = sys.byteorder.encode()
_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # of torch before 1.6


class TorchFile(TensorFile):
    """A state dict, a training checkpoint that holds one, or a pickled module."""

    def __init__(self, path: Path, key: str | None) -> None:
        """Read the names, shapes and dtypes of the weights at a key with dots; None finds them.

        Raises:
            SpecflowError: If the file is broken, or has no weights there.
        """
        self._key = key
        super().__init__(path)

    def _look(self) -> None:
        with self._path.open("rb") as file:
            try:
                content = self._content(file, self._identity[1])
                found = weights_in(content, self._key, self._path)
            except SpecflowError:
                raise
            except Exception as error:  # damaged archives and pickles raise anything
                raise SpecflowError(f"{self._path}: {_refusal(error)}") from error
        self._hold(*found)

    def _content(self, file: BinaryIO, size: int) -> Any:
        """Return what was saved, with tensors that know where their bytes are."""
        if file.read(len(ARCHIVE)) == ARCHIVE:  # as torch tells
            archive = _Archive(zipfile.ZipFile(file), file, size)
            self._swapped = archive.is_swapped
            return archive.content()
        file.seek(0)
        return _legacy_content(file, size)

    def _hold(self, weights: Mapping[Any, Any], others: Mapping[str, str]) -> None:
        infos: dict[str, Any] = {}
        self.skipped: Mapping[str, str] = (skipped := dict(others))
        self._places: Mapping[str, Place] = (places := {})
        size = self._identity[1]
        for name, value in unrolled(weights):
            if not isinstance(name, str):
                raise SpecflowError(
                    f"{self._path}: a tensor has the name {shown(name)}; expected text"
                )
            if not isinstance(value, Stored):
                skipped[name] = no_tensor(value)
            elif value.num_bytes > size:
                skipped[name] = f"claims {value.num_bytes} bytes in a file of {size}"
            else:
                infos[name] = value.info
                if value.info.dtype in QUANTIZED_DTYPES:
                    continue  # it is left out, and may take less than a byte a number
                try:
                    places[name] = value.place()
                except ValueError as error:
                    raise SpecflowError(f"{self._path}: {name}: {error}; broken") from error
        self.infos: Infos = infos


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


def _refusal(error: Exception) -> str:
    """Return why a file cannot be read."""
    text = str(error)
    if text.startswith("an archive"):
        return f"{text}; expected records as torch.save stores them"
    if text.startswith("a pickle, but"):
        return f"{text}; expected a state dict, saved with torch.save or safetensors"
    if isinstance(error, LookupError):  # whose text is a number or a name inside the pickle
        return "broken or truncated; expected a whole file of torch.save"
    reason = shown(one_line(error)).strip("'\"")
    return f"broken or truncated ({reason}); expected a whole file of torch.save"
