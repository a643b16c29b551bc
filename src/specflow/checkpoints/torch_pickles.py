"""What torch pickles: where the bytes of a tensor lie.

Tensors, parameters and ordered dicts are all that is made of a pickle; what else there is beside
them, of any class, stays inert (`pickles`).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import torch

from specflow.checkpoints.formats import Place
from specflow.checkpoints.pickles import Calls, Global, Inert, checked_key, rebuilt
from specflow.wiring.tensors import TensorInfo

_STORAGES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "ComplexDoubleStorage": torch.complex128,
    "ComplexFloatStorage": torch.complex64,
    "QInt8Storage": torch.qint8,
    "QUInt8Storage": torch.quint8,
    "QInt32Storage": torch.qint32,
    "QUInt4x2Storage": torch.quint4x2,
    "QUInt2x4Storage": torch.quint2x4,
    "UntypedStorage": torch.uint8,
}


@dataclass(eq=False)
class Storage:
    """The bytes of tensors in a file.

    Attributes:
        key: Its name.
        dtype: Of its entries.
        size: In bytes.
        begins: Where it lies in the file; None before that is known.
    """

    key: str
    dtype: torch.dtype
    size: int
    begins: int | None = None


@dataclass(eq=False, slots=True)
class Stored:
    """A tensor in a file.

    Attributes:
        storage: Its bytes, and those of others that share them.
        offset: Where it begins in them, in bytes.
        info: Shape and dtype.
        stride: Of each dimension, in entries.
    """

    storage: Storage
    offset: int
    info: TensorInfo
    stride: tuple[int, ...]

    @property
    def num_bytes(self) -> int:
        """How many bytes a copy takes."""
        return math.prod(self.info.shape) * self.info.dtype.itemsize

    def place(self) -> Place:
        """Return where it lies in the file.

        Raises:
            ValueError: If it does not lie within its storage.
        """
        steps = zip(self.info.shape, self.stride, strict=True)
        last = sum((size - 1) * step for size, step in steps) if self.num_bytes else -1
        begins = self.storage.begins
        if (
            begins is None
            or self.offset + (last + 1) * self.info.dtype.itemsize > self.storage.size
        ):
            raise ValueError("larger than its record")
        return Place(begins + self.offset, self.stride)


@dataclass
class TorchPickle:
    """A pickle of torch.

    Attributes:
        find: Returns where the storage of this key and size begins; None tells it later.
        storages: All storages, by their keys.
    """

    find: Callable[[str, int], int] | None = None
    storages: dict[str, Storage] = field(default_factory=dict)

    def content(self, file: BinaryIO) -> Any:
        """Return what was saved, tensors as `Stored`; errors as of `rebuilt`."""
        return rebuilt(file, _CALLS, self._storage)

    def _storage(self, identifier: Any) -> Any:
        kind, *rest = identifier
        if kind == "module":  # of torch before 1.6: a class, with its source code
            return rest[0]
        if kind != "storage":
            raise ValueError(f"an outer object of kind {kind!r}")
        class_, key, _, length, *view = rest
        if type(key) is not str or type(length) is not int or not 0 <= length < 2**60:
            raise ValueError(f"a storage {key!r} of {length!r} entries")
        dtype = _STORAGES[class_.name]
        if key not in self.storages:
            size = length * dtype.itemsize
            begins = self.find(key, size) if self.find else None
            self.storages[key] = Storage(key, dtype, size, begins)
        if view and view[0] is not None:
            raise ValueError("a storage that is a view of another")
        return self.storages[key]


def _tensor(
    storage: Storage,
    offset: int,
    shape: tuple[int, ...],
    stride: tuple[int, ...],
    *_: Any,
    dtype: torch.dtype | None = None,
) -> Stored:
    """Return a tensor as torch._utils._rebuild_tensor does; what else it is told is not kept.

    Raises:
        ValueError: If these are no numbers that a tensor can have.
    """
    numbers = (offset, *shape, *stride)
    entries = math.prod(max(size, 1) for size in shape)
    if not all(type(n) is int and n >= 0 for n in numbers) or entries >= 2**63 or len(shape) > 64:
        raise ValueError("a tensor of no possible shape")
    dtype = dtype or storage.dtype
    return Stored(storage, offset * dtype.itemsize, TensorInfo(shape, dtype), stride)


def _tensor_v3(*arguments: Any) -> Any:
    """Return a tensor that names its dtype.

    Raises:
        ValueError: If that is none.
    """
    *most, dtype = arguments[:7]
    found = vars(torch).get(dtype.name) if isinstance(dtype, Global) else None
    if not isinstance(found, torch.dtype):
        raise ValueError(f"a tensor of dtype {dtype!r}")
    return _tensor(*most[:4], dtype=found)


def _parameter(tensor: Any, *_: Any) -> Any:
    return tensor


def _of_class(function: Any, class_: Any, arguments: Any, *_: Any) -> Any:
    """Return the tensor that one of another class is; what is no tensor stays inert."""
    call = _TENSORS.get(function) if isinstance(function, Global) else None
    return call(*arguments) if call else Inert(class_, arguments)


def _ordered(pairs: list[Any] | None = None) -> dict[Any, Any]:
    """Return a dict, of pairs where Python 2 pickled it, which are moved: none is copied twice."""
    found = {checked_key(key): value for key, value in pairs or ()}
    if pairs:
        pairs.clear()
    return found


def _same(entries: Any = ()) -> Any:
    return entries


_TENSORS: Calls = {
    Global("torch._utils", "_rebuild_tensor"): _tensor,
    Global("torch._utils", "_rebuild_tensor_v2"): _tensor,
    Global("torch._utils", "_rebuild_tensor_v3"): _tensor_v3,
    Global("torch._utils", "_rebuild_parameter"): _parameter,
    Global("torch._utils", "_rebuild_parameter_with_state"): _parameter,
    Global("torch._utils", "_rebuild_qtensor"): _tensor,
}
_CALLS: Calls = {
    **_TENSORS,
    Global("torch._tensor", "_rebuild_from_type_v2"): _of_class,
    Global("torch", "Size"): _same,
    Global("builtins", "set"): _same,
    Global("__builtin__", "set"): _same,
    Global("collections", "OrderedDict"): _ordered,
}
